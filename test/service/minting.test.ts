import { expect, test } from "vitest";
import type { Command } from "../../src/core/command.ts";
import { usualDaemonLimits } from "../../src/core/limits.ts";
import { openHost } from "../client/lab.ts";
import { ask, delegates, hold } from "./endpoint_lab.ts";

const disk: Command = { kind: "block-add", size: 1, form: "current" };

test("a tenant who mints sub-CAs without end keeps to his bound, through TLS and across a restart, and brings no old one back", async () => {
  const limits = { ...usualDaemonLimits, delegations: 50, memories: 64 };
  const { place, port, pki, restart } = await openHost(undefined, { daemon: { limits } });
  const { alice, bob, charlie } = pki;
  const told = async (command: Command, ...chain: Parameters<typeof ask>[1]): Promise<string> => {
    const [issuer = alice] = chain;
    const leaf = hold({ profile: "client", name: "x", issuer, command });
    const { payload } = await ask(port, [leaf, ...chain]);
    return payload.kind === "failure" ? payload.text : payload.kind;
  };
  const minted = (name: string, age = 10): typeof alice =>
    hold({ name, issuer: charlie, command: delegates, notBefore: Date.now() - age * 1000 });
  expect(await told(disk, bob, alice)).toBe("success");
  for (let index = 0; index < 150; index++) {
    expect(await told({ kind: "policy-info" }, minted(`sub${index}`), charlie, alice)).toBe("success");
  }
  const inForce = async (): Promise<readonly string[]> => (await place.policies()).map(([path]) => path);
  expect(await inForce()).toHaveLength(52);
  expect(await inForce()).toContain("alice:bob");
  for (const again of [false, true]) {
    if (again) await restart();
    expect(await told(disk, minted("sub0", 3600), charlie, alice)).toMatch(
      /policy of alice:charlie:sub0 .*out of date/,
    );
    expect(await told(disk, minted("sub1", 3600), charlie, alice)).toMatch(
      /policy of alice:charlie:sub1 .*out of date/,
    );
    expect(await told({ kind: "block-info" }, bob, alice)).toBe("success");
  }
  expect(await told(disk, minted("sub0", 0), charlie, alice)).toBe("success");
}, 120_000);
