#!/bin/sh
# Makes a minimal Debian bookworm base image from Debian's own packages, for a machine that reaches no image registry.
#
#   images/base/build.sh [TAG]        TAG defaults to zg-agent/base:bookworm
#
# Needs root, mmdebstrap, debian-archive-keyring and a container engine (ENGINE=docker by default, podman works too).
# Packages come from wherever the host's own apt gets bookworm; where it does not, from deb.debian.org.
# DNS and proxies inside later builds are the engine's business, mirrors are settled here: the image keeps these sources.
set -eu

tag=${1:-zg-agent/base:bookworm}
engine=${ENGINE:-docker}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The first address from which the host's apt takes a suite, else the default.
mirror() {
  suite=$1 default=$2
  found=$(apt-get indextargets --format '$(RELEASE) $(SITE)' 'Created-By: Packages' 2>/dev/null |
    awk -v suite="$suite" '$1 == suite && $2 ~ /^https?:/ { print $2; exit }')
  echo "${found:-$default}"
}

missing() {
  echo "images/base/build.sh: $1. Try: apt-get install $2" >&2
  exit 10
}

command -v mmdebstrap >/dev/null || missing 'mmdebstrap is not installed' mmdebstrap
[ -r "$keyring" ] || missing "$keyring is not there" debian-archive-keyring

main=$(mirror bookworm http://deb.debian.org/debian)
security=$(mirror bookworm-security http://deb.debian.org/debian-security)
case "$main$security" in *https:*) certificates=ca-certificates ;; *) certificates= ;; esac

# POSIX sh has no pipefail, so the archive lands in a file: a failed bootstrap must never become an image.
archive=$(mktemp)
trap 'rm -f "$archive"' EXIT

mmdebstrap --variant=apt --format=tar --keyring="$keyring" ${certificates:+--include=$certificates} \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/info/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --dpkgopt='force-unsafe-io' \
  bookworm "$archive" \
  "deb $main bookworm main" \
  "deb $main bookworm-updates main" \
  "deb $security bookworm-security main"

"$engine" import --change 'CMD ["/bin/sh"]' --message 'Debian bookworm, minimal' "$archive" "$tag"
