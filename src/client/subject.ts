/**
 * The common name of a certificate for a command.
 *
 * @module
 */
import { type Command, subjectOf } from "../core/command.ts";
import { type Name, printName } from "../core/name.ts";
import { err, ok, type Result } from "../core/result.ts";
import { type Problem, problem } from "./problem.ts";

/** What of the name a certificate says: its last label. The path above is said by the certificates above. */
export function commonNameOf(name: Name, command: Command): Result<string, Problem> {
  // A delegation's name is its path, and so is that of the other commands about policies.
  const labels = name.label === undefined ? name.path : [...name.path, name.label];
  const { kind } = subjectOf(command);
  const named = name.label !== undefined || kind.startsWith("policy-");
  const [first, ...rest] = labels;
  if (rest.length > 0 || (!named && first !== undefined)) {
    const hint = "a certificate's path comes from the authorities above it: give the last label alone";
    return err(problem("usage", `${printName(name)} has a path`, hint));
  }
  if (first === undefined && kind === "policy-add") {
    return err(problem("usage", "the root's policy cannot be delegated", "give the label of the delegate"));
  }
  return ok(first ?? pathItself);
}

export function notInLeaf(command: Command): Problem {
  const hint = "it is for the daemon's own machine; to delegate, use add-policy --csr and sign";
  return problem("usage", `${command.kind.replace("-", " ")} is not for a client's certificate`, hint);
}

/** What albatross-client puts for "the path itself". */
const pathItself = ".";
