import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { umask } from "node:process";
import { expect, onTestFinished, test } from "vitest";
import { namespaceArgv } from "../../src/host/cage.ts";
import { run } from "../../src/host/run.ts";
import { openView, type View } from "../../src/host/view.ts";
import { expectOk, isRoot, temporaryFolder } from "./folder.ts";

const unshared = await run([...namespaceArgv(false), "/bin/true"]);
const reason = unshared.ok ? false : "this process may not make namespaces";

test("openView shows programs, five devices, images and block devices, and nothing else", needs(), async () => {
  const { view, dbdir } = await openPlace();
  expect(await inside(view, "ls -A / /dev /etc")).toMatch(/^\/:\n.*dev\netc\n/s);
  expect(await inside(view, `ls -A ${dbdir}`)).toBe("block\nimages\n");
  expect(await inside(view, "ls -A /proc /sys /home /root /tmp /run 2>/dev/null; ls -A /etc")).not.toMatch(/passwd/);
  expect(await inside(view, `cat ${dbdir}/images/image`)).toBe("an image");
});

test("openView lets nobody write but to block devices, be it root", needs(), async () => {
  const { view, dbdir } = await openPlace();
  for (const file of ["/usr/fulmar-test", `${dbdir}/images/image`]) {
    expect(await inside(view, `echo >>${file}; echo $?`)).toMatch(/Read-only file system\n2\n$/);
  }
  expect(await inside(view, `echo more >>${dbdir}/block/alice:data; cat ${dbdir}/block/alice:data`)).toBe("more\n");
});

test("openView mounts nothing in the host's own namespace", needs(), async () => {
  const { view, dbdir } = await openPlace();
  await inside(view, "true");
  expect(readdirSync(join(view.root, dbdir, "images"))).toEqual([]);
  expect(readdirSync(join(view.root, "usr"))).toEqual([]);
});

test(
  "openView does its work again over what an earlier daemon left, whatever mode new files have",
  needs(),
  async () => {
    const before = umask(0o077);
    onTestFinished(() => {
      umask(before);
    });
    const { view, dbdir, tmpdir } = await openPlace();
    const again = expectOk(await openView(tmpdir, dbdir));
    expect(await inside(again, `cat ${dbdir}/images/image`)).toBe("an image");
    expect(statSync(view.root).mode & 0o777).toBe(0o755);
  },
);

test("tableFor shows a tender that lies elsewhere, in folders of any name, and that file alone", needs(), async () => {
  const { view, dbdir } = await openPlace();
  const folder = join(dbdir, "a b\\c");
  mkdirSync(folder);
  for (const file of ["solo5-spt", "secret"]) writeFileSync(join(folder, file), "#!/bin/sh\necho a tender\n");
  chmodSync(join(folder, "solo5-spt"), 0o755);
  const tender = join(folder, "solo5-spt");
  expect(await inside(view, `'${tender}'; ls '${folder}'`, tender)).toBe("a tender\nsolo5-spt\n");
  expect(existsSync(join(view.root, dbdir, "images/image"))).toBe(false);
  expect(expectOk(await view.tableFor(tender))).toBe(expectOk(await view.tableFor(tender)));
});

function needs(): { readonly skip: boolean } {
  return { skip: !isRoot || reason !== false };
}

async function openPlace(): Promise<{ readonly view: View; readonly dbdir: string; readonly tmpdir: string }> {
  const folder = temporaryFolder();
  const [dbdir, tmpdir] = [join(folder, "db"), join(folder, "run")];
  for (const made of ["images", "block"]) mkdirSync(join(dbdir, made), { recursive: true });
  writeFileSync(join(dbdir, "images", "image"), "an image");
  writeFileSync(join(dbdir, "block", "alice:data"), "");
  return { view: expectOk(await openView(tmpdir, dbdir)), dbdir, tmpdir };
}

/** What a script prints, on both streams, that sees what a guest below this tender sees. */
async function inside(view: View, script: string, tender: string = "/bin/sh"): Promise<string> {
  // As the shim does: what it forks is the first process of the namespace.
  const enter = '(mount --all --fstab "$0" && exec unshare --root="$1" --wd=/ -- sh -c "$2"); true';
  const table = expectOk(await view.tableFor(tender));
  return expectOk(await run([...namespaceArgv(false), "/bin/sh", "-c", enter, table, view.root, script]));
}
