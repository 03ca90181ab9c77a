import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { say, temporaryFolder } from "./terminal.ts";

const folder = temporaryFolder();
const has = (program: string): boolean => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

async function print(line: string): Promise<string> {
  const { status, stdout, stderr } = await say(line.split(" "), folder);
  expect([status, stderr]).toEqual([0, ""]);
  return stdout;
}

test("run man prints the page of a command with all that its help tells", async () => {
  const page = await print("man create");
  expect(page).toMatch(
    /^\.TH FULMAR\\-CREATE 1 "" "fulmar \d+\.\d+\.\d+" "fulmar"\n\.SH NAME\nfulmar\\-create \\- start/,
  );
  const help = await print("help create");
  const flags = help.match(/(?<= )--[a-z-]+/g) ?? [];
  expect(flags.length).toBeGreaterThan(20);
  for (const flag of flags) expect(page).toContain(flag.replaceAll("-", "\\-"));
  for (const heading of ["SYNOPSIS", "ARGUMENTS", "OPTIONS", "EXIT STATUS", "SEE ALSO"]) {
    expect(page).toContain(`.SH ${heading}\n`);
  }
});

test("run man prints the overview where no page is named", async () => {
  expect(await print("man")).toBe(await print("man fulmar"));
  const { status, stderr } = await say(["man", "nothing"], folder);
  expect([status, stderr]).toEqual([124, "error: there is no page 'nothing'\nhint: fulmar help lists the commands\n"]);
});

test("run man writes a page for each command and program, which troff takes without a warning", async () => {
  const directory = join(folder, "man");
  mkdirSync(directory);
  await print("man --directory man");
  const pages = readdirSync(directory);
  const commands = (await print("help")).split("Commands:")[1]?.match(/^ {2}[a-z]\S*/gm) ?? [];
  for (const command of commands.map((line) => line.trim().split("|")[0])) {
    if (command !== "help") expect(pages).toContain(`fulmar-${command}.1`);
  }
  expect(pages).toEqual(expect.arrayContaining(["fulmar.1", "fulmard.8", "fulmar-endpoint.8"]));
  if (!has("groff")) return;
  for (const page of pages) {
    const { status, stderr } = spawnSync("groff", ["-man", "-Tutf8", "-z", "-ww", join(directory, page)], {
      encoding: "utf8",
    });
    expect(stderr.replace(/.*cannot adjust line.*\n/g, "")).toBe("");
    expect(status).toBe(0);
  }
});

test("run man escapes what troff would act on", async () => {
  for (const page of ["fulmar", "create", "fulmard", "fulmar-endpoint"]) {
    const text = await print(`man ${page}`);
    const requests = text.split("\n").filter((line) => /^[.']/.test(line));
    expect(requests.filter((line) => !/^\.(TH|SH|SS|TP|B)\b/.test(line))).toEqual([]);
    expect(text.match(/\\(?!-|e|&|\(dq|f[BR])/g)).toEqual(null);
  }
});

/** What a shell offers after the words, the last of which is being typed; zsh does the last step, by prefix, itself. */
function complete(shell: string, script: string, words: readonly string[]): readonly string[] {
  const typed = words.at(-1) ?? "";
  const list = words.map((word) => `'${word}'`).join(" ");
  const call = `COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _fulmar ${words[0]}; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const zsh = `emulate -L sh; setopt kshglob noshglob braceexpand; PREFIX='${typed}'; ${call}`;
  const lines =
    shell === "zsh"
      ? ["autoload -U +X compinit && compinit -u -D", script.replace(/^_bash_complete.*$/m, ""), `f() { ${zsh}; }; f`]
      : [script, call];
  const { stdout, stderr } = spawnSync(shell, ["-c", lines.join("\n")], { encoding: "utf8", cwd: folder });
  expect(stderr).toBe("");
  return stdout.split("\n").filter((word) => word !== "" && word.startsWith(typed));
}

test.for([
  [
    ["fulmar", "cr"],
    ["create", "create-block"],
  ],
  [["/usr/bin/fulmar", "upd"], ["update"]],
  [["fulmar", "create", "--ty"], ["--typ"]],
  [["fulmar", "create", "--typ", ""], ["solo5"]],
  [["fulmar", "info", "--color", "al"], ["always"]],
  [["fulmar", "create", "web", "some"], ["some.hvt"]],
  [["fulmar", "create", "--ca", "some"], ["some.hvt"]],
  [["fulmar", "create", "--tmpdir", "fold"], ["folder"]],
  [["fulmar", "create", "--mem", ""], []],
  [["fulmar", "help", "restar"], ["restart"]],
  [
    ["fulmar", "explain", "--csr", "destr"],
    ["destroy", "destroy-block"],
  ],
  [["fulmar", "explain", "create", "--ty"], ["--typ"]],
  [["fulmard", "import"], ["import-state"]],
  [["fulmard", "--dbdir", "folder", "import-state", "--rep"], ["--replace"]],
  [["fulmar-endpoint", "--po"], ["--port"]],
] as const)("the script of run completion offers after %j: %j", async ([words, offered], { skip }) => {
  mkdirSync(join(folder, "folder"), { recursive: true });
  writeFileSync(join(folder, "some.hvt"), "");
  const shells = ["bash", "zsh"].filter(has);
  if (shells.length === 0) return skip("neither bash nor zsh is here");
  for (const shell of shells) {
    expect(complete(shell, await print(`completion ${shell}`), words)).toEqual(offered);
  }
});

test("run completion has what every command takes", async () => {
  const script = await print("completion bash");
  expect(script).toContain("'fulmar replace-policy')");
  expect(await print("completion zsh")).toMatch(/^#compdef fulmar fulmard fulmar-endpoint\n/);
  expect((await say(["completion", "fish"], folder)).status).toBe(124);
});
