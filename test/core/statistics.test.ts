import { expect, test } from "vitest";
import { printName } from "../../src/core/name.ts";
import { namesAbout } from "../../src/core/statistics.ts";
import { name } from "../host/folder.ts";

test.for([
  ["alice:bob:web", ["alice:bob:web", "alice:bob:", "alice:", ":"]],
  ["web", [":web", ":"]],
  ["alice:bob:", ["alice:bob:", "alice:", ":"]],
  [":", [":"]],
] as const)("namesAbout %s: itself and every path that it is in, nothing of the same spelling", ([text, about]) => {
  expect([...namesAbout(name(text))].map(printName)).toEqual(about);
});
