/**
 * Completion for shells, made of the same commands as the help.
 *
 * @module
 */
import { Argument, type Command as CommanderCommand, type Option } from "commander";
import { servers } from "./man.ts";
import { addLogging } from "./options.ts";
import type { Session } from "./session.ts";

export function addCompletion(program: CommanderCommand, session: Session): void {
  const command = program
    .command("completion")
    .description("print a script that completes our command lines; for the shell at hand: . <(fulmar completion bash)")
    .addArgument(new Argument("<shell>", "which one").choices(["bash", "zsh"]));
  addLogging(command).action(async (shell: "bash" | "zsh") => {
    await session.environment.stdout(completionScript(shell, [program, ...servers()]));
    session.finish(undefined);
  });
}

/** The script of bash; zsh runs the same one. */
function completionScript(shell: "bash" | "zsh", programs: readonly CommanderCommand[]): string {
  const names = programs.map((program) => program.name()).join(" ");
  const contexts = programs.flatMap((program) => contextsOf(program));
  return [
    ...(shell === "zsh" ? [`#compdef ${names}`, "autoload -U +X bashcompinit && bashcompinit"] : []),
    "_fulmar_commands() {",
    "  case $at in",
    ...contexts.map(({ at, commands }) => `    '${at}') commands='${commands.join(" ")}' ;;`),
    "  esac",
    "}",
    "",
    ...head,
    "  case $at in",
    ...contexts.flatMap(optionCases),
    "  esac",
    ...tail,
    `complete -o filenames -F _fulmar ${names}`,
    ...(shell === "zsh" ? ["_bash_complete -o filenames -F _fulmar"] : []),
    "",
  ].join("\n");
}

/** A program, or one of its commands: what may follow it. */
interface Context {
  /** `fulmar` or `fulmar create`. */
  readonly at: string;
  readonly commands: readonly string[];
  readonly options: readonly Option[];
}

function contextsOf(program: CommanderCommand, at: string = program.name()): readonly Context[] {
  const help = program.createHelp();
  const commands = help.visibleCommands(program).map((one) => one.name());
  const own = { at, commands, options: help.visibleOptions(program) };
  const below = program.commands.flatMap((command) =>
    [command.name(), ...command.aliases()].flatMap((name) => contextsOf(command, `${at} ${name}`)),
  );
  return [own, ...(commands.includes("help") ? [{ at: `${at} help`, commands, options: [] }] : []), ...below];
}

function optionCases({ at, options }: Context): readonly string[] {
  const valued = options.filter(({ required, optional }) => required || optional);
  return [
    `    '${at}')`,
    `      options='${options.flatMap(flagsOf).join(" ")}'`,
    "      case $previous in",
    ...valued.map((option) => `        ${flagsOf(option).join("|")}) ${valuesOf(option)} ;;`),
    "      esac ;;",
  ];
}

function flagsOf({ short, long }: Option): readonly string[] {
  return [short, long].filter((flag) => flag !== undefined);
}

/** What completes an option's value; nothing, where only its user knows it. */
function valuesOf({ argChoices, flags }: Option): string {
  if (argChoices !== undefined) return `_fulmar_take -W '${argChoices.join(" ")}'; return`;
  if (/<(file|path)>/.test(flags)) return "_fulmar_take -f; return";
  return /<dir>/.test(flags) ? "_fulmar_take -d; return" : "return";
}

/** Finds which command the words are of. */
const head = [
  "_fulmar_take() {",
  '  COMPREPLY=($(compgen "$@" -- "$current"))',
  "}",
  "",
  "_fulmar() {",
  `  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"`,
  `  local at="\${1##*/}" commands= options= word index`,
  "  COMPREPLY=()",
  "  _fulmar_commands",
  "  for ((index = 1; index < COMP_CWORD; index++)); do",
  `    word="\${COMP_WORDS[index]}"`,
  '    case " $commands " in',
  '      *" $word "*)',
  '        at="$at $word" commands=',
  "        _fulmar_commands ;;",
  "    esac",
  "  done",
  "  _fulmar_commands",
];

const tail = [
  "  case $current in",
  '    -*) _fulmar_take -W "$options" ;;',
  '    *) if [ -n "$commands" ]; then _fulmar_take -W "$commands"; else _fulmar_take -f; fi ;;',
  "  esac",
  "}",
];
