/**
 * Asking a person for a secret: what is typed is not shown.
 *
 * @module
 */
import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/**
 * Asks on the terminal that is standard input.
 *
 * @returns undefined where there is no terminal, or the person gave up
 */
export async function askSecret(question: string): Promise<string | undefined> {
  const { stdin: input, stderr } = process;
  if (!input.isTTY) return undefined;
  stderr.write(`${question}: `);
  const output = new Writable({ write: (_, __, done) => done() });
  const lines = createInterface({ input, output, terminal: true, historySize: 0 });
  const typed = await new Promise<string | undefined>((resolve) => {
    // Control-C and Control-D close it.
    lines.once("close", () => resolve(undefined));
    lines.question("", resolve);
  });
  lines.close();
  stderr.write("\n");
  return typed;
}
