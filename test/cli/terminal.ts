import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { run } from "../../src/cli/program.ts";
import type { Request } from "../../src/cli/session.ts";
import { directoryEnvironment, type Environment } from "../../src/host/client_environment.ts";

/** What a command line said and how it ended. */
export interface Said {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where passphrases come from besides files: from nowhere, if not given. */
type Secrets = Partial<Pick<Environment, "variable" | "askSecret">>;

/** A new folder, gone when the file's tests are done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fulmar-cli-"));
  folders.push(folder);
  return folder;
}

const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** An environment with files below `folder` and a terminal that is read back. */
function terminal(
  folder: string,
  now?: number,
  secrets: Secrets = {},
): { environment: Environment; said: { out: string; err: string } } {
  const said = { out: "", err: "" };
  const environment: Environment = {
    ...directoryEnvironment(folder),
    stdout: async (text) => {
      said.out += text;
    },
    stderr: (text) => {
      said.err += text;
    },
    interactive: false,
    variable: () => undefined,
    askSecret: async () => undefined,
    ...secrets,
    ...(now === undefined ? {} : { now: () => now }),
  };
  return { environment, said };
}

/** Runs a command line in a folder. */
export async function say(words: readonly string[], folder: string, now?: number, secrets?: Secrets): Promise<Said> {
  const { environment, said } = terminal(folder, now, secrets);
  const status = await run(words, environment);
  return { status, stdout: said.out, stderr: said.err };
}

/** The request that a command line becomes; fails where it becomes none. */
export async function requested(words: readonly string[], folder: string): Promise<Request> {
  const requests: Request[] = [];
  const { environment, said } = terminal(folder);
  await run(words, environment, async (request) => {
    requests.push(request);
    return undefined;
  });
  const [request] = requests;
  if (request === undefined) throw new Error(`no request: ${said.err}`);
  return request;
}
