/**
 * policy, add-policy (also replace-policy) and remove-policy.
 *
 * @module
 */
import { Argument, type Command as CommanderCommand, Option } from "commander";
import { describeUnusable } from "../core/describe.ts";
import type { Path } from "../core/name.ts";
import { checkUsable, type Policy, sortedSet } from "../core/policy.ts";
import { failure } from "./failure.ts";
import { addNetworking, type Networking, says } from "./options.ts";
import { warn } from "./report.ts";
import type { Session } from "./session.ts";
import { parseCountWord, parsePathWord, repeated } from "./words.ts";

export function addPolicy(program: CommanderCommand, session: Session): void {
  addNetworking(program.command("policy"))
    .description("show the policies at and below a path")
    .addOption(pathOption().default([], "everything"))
    .action(async (options: Networking & { readonly path: Path }) =>
      session.finish(await session.send({ name: { path: options.path }, command: { kind: "policy-info" }, options })),
    );
  addNetworking(program.command("remove-policy"))
    .description("remove the policy of a path; those above it still hold")
    .addOption(pathOption().default([], "the root, whose policy only an albatross server removes"))
    .action(async (options: Networking & { readonly path: Path }) =>
      session.finish(await session.send({ name: { path: options.path }, command: { kind: "policy-remove" }, options })),
    );
  addAddPolicy(program, session);
}

interface AddPolicyOptions extends Networking {
  readonly cpu?: readonly number[];
  readonly mem: number;
  readonly bridge?: readonly string[];
  readonly block?: number;
}

function addAddPolicy(program: CommanderCommand, session: Session): void {
  addNetworking(program.command("add-policy"))
    .alias("replace-policy")
    .description("say what a path and everything below it may use together; an existing policy is replaced")
    .addArgument(new Argument("<path>", "such as alice:bob").argParser(parsePathWord))
    .addArgument(new Argument("<unikernels>", "how many may exist at once").argParser(parseCountWord))
    .option("--cpu <id>", "a CPU that may be used (default: 0); repeatable", repeated(parseCountWord))
    .option("--mem <MB>", "memory", parseCountWord, 512)
    .addOption(
      new Option("--network, --bridge <bridge>", "a bridge that may be used; repeatable").argParser(
        repeated((word) => word),
      ),
    )
    .addOption(new Option("--size, --block <MB>", "block storage (default: none)").argParser(parseCountWord))
    .action(async (path: Path, unikernels: number, options: AddPolicyOptions) => {
      const policy = policyOf(unikernels, options);
      const usable = checkUsable(policy);
      if (!usable.ok) return session.finish(failure("usage", describeUnusable(usable.error), unusableHint));
      if (policy.bridges.length === 0 && says(options, "warning")) {
        warn(session.environment, options, "the policy has no bridge, so nothing under it can use a network");
      }
      session.finish(await session.send({ name: { path }, command: { kind: "policy-add", policy }, options }));
    });
}

function policyOf(unikernels: number, options: AddPolicyOptions): Policy {
  return {
    unikernels,
    cpuids: sortedSet(options.cpu ?? [0]),
    memory: options.mem,
    ...(options.block === undefined ? {} : { block: options.block }),
    bridges: sortedSet(options.bridge ?? []),
  };
}

function pathOption(): Option {
  return new Option("-p, --path <path>", "such as alice:bob").argParser(parsePathWord);
}

const unusableHint = "a policy needs at least one unikernel, one --cpu and enough --mem";
