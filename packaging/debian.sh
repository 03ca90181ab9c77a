#!/usr/bin/env bash
# Builds a Debian package of the built tree and the modules that it needs at run time, without the network.
#
#   packaging/debian.sh [FOLDER]     the package goes to FOLDER, by default dist/debian
#
# FULMAR_NODE=bundle   (default) with the Node.js that runs here, as Debian 12 has none that is new enough
# FULMAR_NODE=system   depends on the package nodejs instead
# FULMAR_COMPRESSION   of dpkg-deb, by default zstd, which Debian 12 and its like read
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$top/dist/debian}
node=$(command -v node)
bundle=${FULMAR_NODE:-bundle}
version=$(node -p 'require(process.argv[1]).version' "$top/package.json")
architecture=$(dpkg --print-architecture)
maintainer="fulmar authors <maintainers@fulmar.invalid>"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
chmod 0755 "$stage"
umask 022

main() {
  cd "$top"
  [ -f dist/bin/fulmar.js ] || npm run --silent build
  programs
  modules
  [ "$bundle" = system ] || copy_node
  units
  documents
  control
  mkdir -p "$out"
  dpkg-deb --root-owner-group -Z"${FULMAR_COMPRESSION:-zstd}" --build "$stage" "$out/fulmar_${version}-1_$architecture.deb"
}

programs() {
  local lib=$stage/usr/lib/fulmar program
  mkdir -p "$lib/dist" "$stage/usr/bin"
  cp -R dist/bin dist/src "$lib/dist"
  cp package.json "$lib"
  for program in fulmar fulmard fulmar-endpoint; do
    sed "s/@program@/$program/" packaging/debian/wrapper.sh >"$stage/usr/bin/$program"
    chmod 0755 "$stage/usr/bin/$program"
  done
}

# What npm lists as needed at run time, without what nobody reads or runs here.
modules() {
  local path
  while read -r path; do
    [ "$path" != "$top" ] || continue
    mkdir -p "$stage/usr/lib/fulmar/${path#"$top"/}"
    tar -C "$path" --exclude=./node_modules -cf - . | tar -C "$stage/usr/lib/fulmar/${path#"$top"/}" --no-same-owner -xf -
  done < <(npm ls --omit=dev --all --parseable 2>/dev/null || true)
  [ -d "$stage/usr/lib/fulmar/node_modules/lmdb" ] || { echo "no modules: run npm ci first" >&2; exit 1; }
  local rest=$stage/usr/lib/fulmar/node_modules
  find "$rest" -depth -type d \( -name test -o -name tests -o -name benchmarks -o -name '*musl*' -o -name '.?*' \) -exec rm -r {} +
  find "$stage/usr/lib/fulmar" -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.cts' -o -name '*.md' -o -name '*musl*' -o \
    -name '*.c' -o -name '*.cc' -o -name '*.cpp' -o -name '*.h' -o -name '*.hh' -o -name '*.sln' -o -name '*.html' -o -name '.*' \) -delete
  find "$stage/usr/lib/fulmar" -type d -empty -delete
  chmod -R u=rwX,go=rX "$stage/usr/lib/fulmar"
  find "$rest" -name '*.node' -exec chmod 0644 {} +
}

copy_node() {
  install -m 0755 "$(readlink -f "$node")" "$stage/usr/lib/fulmar/node"
}

units() {
  local systemd=$stage/usr/lib/systemd/system
  install -d "$systemd" "$stage/usr/lib/sysusers.d" "$stage/usr/lib/tmpfiles.d" "$stage/etc/default"
  install -m 0644 packaging/systemd/* "$systemd"
  install -m 0644 packaging/sysusers.d/* "$stage/usr/lib/sysusers.d"
  install -m 0644 packaging/tmpfiles.d/* "$stage/usr/lib/tmpfiles.d"
  install -m 0644 packaging/default/* "$stage/etc/default"
  install -d -m 0750 "$stage/etc/fulmar"
}

documents() {
  local share=$stage/usr/share section doc=$stage/usr/share/doc/fulmar
  install -d "$doc" "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$stage/pages"
  fulmar man --directory "$stage/pages"
  for section in 1 8; do
    install -d "$share/man/man$section"
    gzip -9n "$stage"/pages/*."$section"
    mv "$stage"/pages/*."$section".gz "$share/man/man$section"
  done
  rmdir "$stage/pages"
  fulmar completion bash >"$share/bash-completion/completions/fulmar"
  ln -s fulmar "$share/bash-completion/completions/fulmard"
  ln -s fulmar "$share/bash-completion/completions/fulmar-endpoint"
  fulmar completion zsh >"$share/zsh/vendor-completions/_fulmar"
  cp README.md "$doc"
  gzip -9nc CHANGES.md >"$doc/changelog.gz"
  changelog | gzip -9nc >"$doc/changelog.Debian.gz"
  copyright >"$doc/copyright"
}

fulmar() {
  node dist/bin/fulmar.js "$@"
}

changelog() {
  cat <<END
fulmar ($version-1) unstable; urgency=medium

  * What is new is told in changelog.gz.

 -- $maintainer  $(date -R -r CHANGES.md)
END
}

copyright() {
  local license
  cat LICENSE
  echo
  echo "The libraries in /usr/lib/fulmar/node_modules have their licenses next to them."
  [ "$bundle" != system ] || return 0
  echo "/usr/lib/fulmar/node is Node.js $(node --version):"
  for license in "$(dirname "$(readlink -f "$node")")/../LICENSE" /usr/share/doc/nodejs/{LICENSE,copyright}; do
    [ ! -f "$license" ] || { echo; cat "$license"; break; }
  done
}

control() {
  local file runtime="nodejs (>= 20.19)"
  [ "$bundle" = system ] || runtime="libstdc++6"
  mkdir "$stage/DEBIAN"
  (cd "$stage" && find etc -type f -printf '/%p\n' | sort >DEBIAN/conffiles)
  (cd "$stage" && find usr etc -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
  for file in postinst prerm postrm; do install -m 0755 "packaging/debian/$file" "$stage/DEBIAN/$file"; done
  cat >"$stage/DEBIAN/control" <<END
Package: fulmar
Version: $version-1
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -sk --exclude=DEBIAN "$stage" | cut -f1)
Depends: libc6 (>= $(least_glibc)), $runtime, iproute2, mount, passwd
Suggests: qemu-system-x86, bash-completion
Section: admin
Priority: optional
Description: $(node -p 'require(process.argv[1]).description' "$top/package.json")
 fulmar runs Solo5 unikernels for people who were given a share of a host, and
 lets them give parts of their share to others. Who may run what is written in
 X.509 certificates and nowhere else. It speaks the wire format of albatross
 and reads its certificates.
END
}

# The newest version of a symbol that something compiled asks for.
least_glibc() {
  find "$stage/usr/lib/fulmar" -type f \( -name node -o -name '*.node' \) -print0 |
    xargs -0 grep -aohE 'GLIBC_2\.[0-9]+' | sort -Vu | tail -n 1 | cut -d_ -f2
}

main
