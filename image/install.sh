#!/usr/bin/env bash
# The package part of the Dockerfile, in one RUN so that it is one layer.
#
# Takes ONE_VERSION (X.Y.Z) and ONE_REPOSITORY (an apt repository with suite "stable" and component
# "opennebula") from the build's arguments and the repository's key from /mnt/key. Fails when a package
# of another version arrives. Changes no file of a package; moves and copies whole folders only.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
[[ ! -e /run/secrets/apt ]] || export APT_CONFIG=/run/secrets/apt

# These carry OpenNebula's own version; opennebula-guacd carries Guacamole's beside it.
versioned=(opennebula opennebula-fireedge opennebula-flow opennebula-gate opennebula-tools)
# What those packages only recommend, or leave to the administrator: file transfers to and from the hosts,
# and the client that backs the database up.
others=(opennebula-guacd openssh-client openssh-server rsync mariadb-client sqlite3 ca-certificates)

if [[ ! $ONE_VERSION =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]; then
  echo "ONE_VERSION is \"$ONE_VERSION\", and must be three numbers such as 7.0.0" >&2
  exit 1
fi

# Everything in here is undone at the end, whether it is still there or not.
scaffold=(/etc/apt/sources.list.d/opennebula.list /etc/apt/opennebula.asc /etc/dpkg/dpkg.cfg.d/opennebula-image)
install -m 0644 /mnt/key/opennebula.asc /etc/apt/opennebula.asc
echo "deb [signed-by=/etc/apt/opennebula.asc] $ONE_REPOSITORY stable opennebula" >/etc/apt/sources.list.d/opennebula.list
# Documentation stays out; licences stay in.
printf '%s\n' 'path-exclude=/usr/share/doc/*' 'path-include=/usr/share/doc/*/copyright' 'path-exclude=/usr/share/man/*' \
  'path-exclude=/usr/share/info/*' 'path-exclude=/usr/share/locale/*' >/etc/dpkg/dpkg.cfg.d/opennebula-image
if [[ ! -e /usr/sbin/policy-rc.d ]]; then # post-install scripts start no daemon
  scaffold+=(/usr/sbin/policy-rc.d)
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 0755 /usr/sbin/policy-rc.d
fi

# The uid that the chart runs as. The packages ask for the same and keep a user that is there.
groupadd --gid 9869 oneadmin
useradd --uid 9869 --gid 9869 --home-dir /var/lib/one --no-create-home --shell /bin/bash oneadmin

apt-get update -q
# OneForm came with 7.2, OneKS with 7.4.
for package in opennebula-form opennebula-ks; do
  if [[ -n $(apt-cache madison "$package") ]]; then
    versioned+=("$package")
  else
    echo "$package: not in the repository of $ONE_VERSION, left out"
  fi
done
apt-get install -qy --no-install-recommends "${versioned[@]/%/=$ONE_VERSION*}" "${others[@]}"

for package in "${versioned[@]}"; do
  version=$(dpkg-query --show --showformat '${Version}' "$package")
  upstream=${version#*:}
  if [[ ${upstream%%[-+~]*} != "$ONE_VERSION" ]]; then
    echo "$package $version was installed, but ONE_VERSION asks for $ONE_VERSION" >&2
    exit 1
  fi
done
[[ $(id -u oneadmin):$(id -g oneadmin) == 9869:9869 ]]

# The volume is mounted on /var/lib/one, and a writable folder on /etc/one: what the packages put there is kept
# beside onepod, and every start copies from it.
mkdir -p /usr/share/onepod
mv /var/lib/one /usr/share/onepod/data
# Credentials that a post-install script made would be the same in every container.
rm -rf /usr/share/onepod/data/.one /usr/share/onepod/data/.ssh
cp -a /etc/one /usr/share/onepod/etc
echo "$ONE_VERSION" >/usr/share/onepod/release
# Root owns the copies. The configuration is as the packages ship it, so `onepod check` may read it as any user; what a
# start makes of it lies in /etc/one, which is closed to others.
chown -R root:9869 /usr/share/onepod/etc /usr/share/onepod/data
chmod -R u+rwX,go+rX,go-w /usr/share/onepod/etc
chmod -R u+rwX,g+rX,g-w /usr/share/onepod/data
install -d -o 9869 -g 9869 -m 0755 /var/lib/one /var/log/one /run/lock/one /run/onepod
install -d -o 9869 -g 9869 -m 0750 /etc/one /run/one
chown -R 9869:9869 /etc/one /var/log/one

# The way to the front-end's own SSH server, which every start writes.
echo 'Include /run/onepod/ssh_config' >/etc/ssh/ssh_config.d/onepod.conf

# What only the installation needed, or would differ from build to build.
apt-get clean
rm -rf "${scaffold[@]}" /var/lib/apt/lists/* /var/cache/* /var/log/*.log /var/log/apt /tmp/* /var/tmp/* \
  /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub /root/.ssh
