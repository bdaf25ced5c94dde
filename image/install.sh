#!/usr/bin/env bash
# The package part of the Dockerfile, in one RUN so that it is one layer. What goes in and what is taken out again stands in
# `packages`, with the reasons; how it is done stands here.
#
# Takes from the build's arguments: ONE_VERSION (X.Y.Z or X.Y.Z.N), ONE_REPOSITORY (an apt repository with suite "stable" and component
# "opennebula"), SOURCE_DATE_EPOCH (seconds; what would carry the time of the build carries this one). Takes the repository's key from /mnt/key, and of the keys
# in it only the one of ONE_REPOSITORY_FINGERPRINT, unless that is empty. Fails when a package of another version arrives.
# Changes no file of a package; moves, copies and deletes whole ones only.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH
[[ ! -e /run/secrets/apt ]] || export APT_CONFIG=/run/secrets/apt

die() { echo "install.sh: $*" >&2; exit 1; }
# listed KIND: the lines of that kind in `packages`, as NAME REASON.
listed() { sed -n "s/^$1[[:space:]]\+//p" /mnt/packages; }

# upstream VERSION: the part of a Debian version that is the release.
upstream() { local version=${1#*:}; echo "${version%%[-+~]*}"; }

[[ $ONE_VERSION =~ ^[0-9]+(\.[0-9]+){2,3}$ ]] ||
  die "ONE_VERSION is \"$ONE_VERSION\", and must be three numbers such as 7.0.0, or four such as 7.0.0.1"

# Everything in here is undone at the end, whether it is still there or not.
scaffold=(/etc/apt/sources.list.d/opennebula.list /etc/apt/opennebula.asc /etc/dpkg/dpkg.cfg.d/opennebula-image)
install -m 0644 /mnt/key/opennebula.asc /etc/apt/opennebula.asc
[[ ${ONE_REPOSITORY_FINGERPRINT:-} =~ ^([0-9A-F]{40})?$ ]] ||
  die "ONE_REPOSITORY_FINGERPRINT is \"$ONE_REPOSITORY_FINGERPRINT\", and must be 40 hexadecimal digits in capitals, or empty"
signed_by=/etc/apt/opennebula.asc${ONE_REPOSITORY_FINGERPRINT:+,$ONE_REPOSITORY_FINGERPRINT}
echo "deb [signed-by=$signed_by] $ONE_REPOSITORY stable opennebula" >/etc/apt/sources.list.d/opennebula.list
# Documentation stays out; licences stay in.
printf '%s\n' 'path-exclude=/usr/share/doc/*' 'path-include=/usr/share/doc/*/copyright' 'path-exclude=/usr/share/man/*' \
  'path-exclude=/usr/share/info/*' 'path-exclude=/usr/share/locale/*' >/etc/dpkg/dpkg.cfg.d/opennebula-image
# stand_in PATH CODE: a program that the packages' scripts call and that the image does not have, for as long as they run.
stand_in() {
  [[ ! -e $1 ]] || return 0
  scaffold+=("$1")
  printf '#!/bin/sh\nexit %s\n' "$2" >"$1"
  chmod 0755 "$1"
}
stand_in /usr/sbin/policy-rc.d 101    # no daemon is started
stand_in /usr/bin/systemd-tmpfiles 0  # the directories that it would make are made at each start

# The uid that the chart runs as. The packages ask for the same and keep a user that is there.
groupadd --gid 9869 oneadmin
useradd --uid 9869 --gid 9869 --home-dir /var/lib/one --no-create-home --shell /bin/bash oneadmin

apt-get update -q
# What was mended since the base was published: the base is pinned by its digest, and a build has to bring the fixes.
apt-get upgrade -qy --with-new-pkgs --no-install-recommends
install=()
versioned=()
while read -r name _; do
  if [[ $name == *\? ]]; then
    name=${name%\?}
    if [[ -z $(apt-cache madison "$name") ]]; then
      echo "$name: not in the repository of $ONE_VERSION, left out"
      continue
    fi
  fi
  versioned+=("$name")
  pin=
  # A pattern would take 7.0.0.1 and 7.0.10 for a 7.0.1 or 7.0.0: the newest that is of the release, by its own number.
  while [[ -z $pin ]] && read -r _ _ version _; do
    [[ $(upstream "$version") != "$ONE_VERSION" ]] || pin=$version
  done < <(apt-cache madison "$name")
  [[ $pin ]] || die "the repository $ONE_REPOSITORY has no $name of $ONE_VERSION; it has:
$(apt-cache madison "$name")"
  install+=("$name=$pin")
done < <(listed opennebula)
while read -r name _; do install+=("$name"); done < <(listed system)
apt-get install -qy --no-install-recommends "${install[@]}"

for package in "${versioned[@]}"; do
  version=$(dpkg-query --show --showformat '${Version}' "$package")
  [[ $(upstream "$version") == "$ONE_VERSION" ]] || die "$package $version was installed, but ONE_VERSION asks for $ONE_VERSION"
done
[[ $(id -u oneadmin):$(id -g oneadmin) == 9869:9869 ]] || die "a package changed the uid or the group of oneadmin"

# The volume is mounted on /var/lib/one, and a writable folder on /etc/one: what the packages put there is kept
# beside onepod, and every start copies from it.
mkdir -p /usr/share/onepod
mv /var/lib/one /usr/share/onepod/data
# Credentials that a post-install script made would be the same in every container.
rm -rf /usr/share/onepod/data/.one /usr/share/onepod/data/.ssh
cp -a /etc/one /usr/share/onepod/etc
echo "$ONE_VERSION" >/usr/share/onepod/release
# Root owns the copies, and every user may read them: they are as the packages ship them, and the pod may run as any uid.
# What a start makes of them lies in /etc/one and on the volume, which are closed to others.
chown -R root:root /usr/share/onepod/etc /usr/share/onepod/data
chmod -R u+rwX,go+rX,go-w /usr/share/onepod/etc /usr/share/onepod/data
# Where there is no mount, oneadmin may write, and so may the group 0 that an arbitrary uid has.
install -d -o 9869 -g 0 -m 0775 /var/lib/one /var/log/one /run/lock/one /run/onepod
install -d -o 9869 -g 0 -m 0770 /etc/one /run/one
chown -R 9869:0 /etc/one /var/log/one
chmod -R g=u /etc/one /var/log/one

# The way to the front-end's own SSH server, which every start writes.
echo 'Include /run/onepod/ssh_config' >/etc/ssh/ssh_config.d/onepod.conf
while read -r path _; do
  # shellcheck disable=SC2086 # a name may have a *
  rm -rf $path
done < <(listed remove)
# Nobody becomes somebody else in here, nor gets a right of root's: capabilities of files are set by setcap, which comes with
# getcap (libcap2-bin).
find / -xdev -type f -perm /6000 -exec chmod ug-s {} +
if command -v getcap >/dev/null; then
  # Not getcap -r /: it ends early when a process goes while it walks through /proc.
  while read -r file _; do setcap -r "$file"; done < <(find / -xdev -type f -exec getcap {} +)
fi
# What only the installation needed, or would differ from build to build.
apt-get clean
rm -rf "${scaffold[@]}" /var/lib/apt/lists/* /var/cache/* /var/log/*.log /var/log/apt /tmp/* /var/tmp/* \
  /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /var/lib/dpkg/*-old /var/lib/dpkg/lock* /var/lib/apt/extended_states
