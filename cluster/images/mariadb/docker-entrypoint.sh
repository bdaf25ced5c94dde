#!/usr/bin/env bash
# Makes the database's files at the first start, then becomes the server.
#
# Settings, as the official image names them; MYSQL_… is accepted for MARIADB_…, and NAME_FILE for each NAME:
#   MARIADB_ROOT_PASSWORD, or MARIADB_RANDOM_ROOT_PASSWORD or MARIADB_ALLOW_EMPTY_ROOT_PASSWORD: one is needed
#   MARIADB_ROOT_HOST (%)  MARIADB_DATABASE  MARIADB_USER  MARIADB_PASSWORD
#   MARIADB_AUTO_UPGRADE   accepted and ignored: there is only one version here
# They matter at the first start only. It does not run files of /docker-entrypoint-initdb.d: it refuses them.
set -euo pipefail

data=/var/lib/mysql
say() { echo "entrypoint: $*" >&2; }
die() { say "$*"; exit 1; }

# setting NAME [DEFAULT]: its value, from whichever of its forms is set.
setting() {
  local prefix name
  for prefix in MARIADB MYSQL; do
    name=${prefix}_$1
    if [[ -n ${!name:-} ]]; then
      name=${name}_FILE
      [[ -z ${!name:-} ]] || die "${name%_FILE} and $name are both set"
      name=${name%_FILE}
      printf %s "${!name}"
      return
    fi
    name=${name}_FILE
    if [[ -n ${!name:-} ]]; then
      [[ -r ${!name} ]] || die "$name: cannot read ${!name}"
      cat "${!name}"
      return
    fi
  done
  printf %s "${2:-}"
}

# A value as an SQL string, an identifier as an SQL name.
text() { local v=${1//\\/\\\\}; printf "'%s'" "${v//\'/\'\'}"; }
identifier() { printf '\140%s\140' "${1//\`/\`\`}"; } # 140: a backtick
secret() { head -c 24 /dev/urandom | base64 | tr -d '/+=\n'; }

# The statements of the first start. One to a line: that is how the bootstrap mode reads them.
statements() {
  local root host user password database check
  root=$(setting ROOT_PASSWORD)
  host=$(setting ROOT_HOST %)
  database=$(setting DATABASE)
  user=$(setting USER)
  password=$(setting PASSWORD)
  if [[ -z $root ]]; then
    if [[ -n $(setting RANDOM_ROOT_PASSWORD) ]]; then
      root=$(secret)
    elif [[ -z $(setting ALLOW_EMPTY_ROOT_PASSWORD) ]]; then
      die "the database is empty: set MARIADB_ROOT_PASSWORD, MARIADB_RANDOM_ROOT_PASSWORD or MARIADB_ALLOW_EMPTY_ROOT_PASSWORD"
    fi
  fi
  [[ -z $user || -n $password ]] || die "MARIADB_USER is set, and MARIADB_PASSWORD is not"
  check=$(secret)
  (umask 077 && printf '[client]\nuser=healthcheck\npassword=%s\n' "$check" >$data/.my-healthcheck.cnf)

  echo "FLUSH PRIVILEGES;"
  echo "ALTER USER root@localhost IDENTIFIED BY $(text "$root");"
  if [[ $host != localhost ]]; then
    echo "CREATE USER root@$(text "$host") IDENTIFIED BY $(text "$root");"
    echo "GRANT ALL ON *.* TO root@$(text "$host") WITH GRANT OPTION;"
  fi
  for host in localhost 127.0.0.1 ::1; do
    echo "CREATE USER healthcheck@$(text "$host") IDENTIFIED BY $(text "$check");"
  done
  [[ -z $database ]] || echo "CREATE DATABASE IF NOT EXISTS $(identifier "$database");"
  if [[ -n $user ]]; then
    echo "CREATE USER $(text "$user")@'%' IDENTIFIED BY $(text "$password");"
    [[ -z $database ]] || echo "GRANT ALL ON $(identifier "${database//_/\\_}").* TO $(text "$user")@'%';"
  fi
}

# A start that is cut short leaves the mark, and the next one begins again.
initialise() {
  local sql mark=$data/.initialising
  if [[ -e $mark ]]; then
    say "the first start did not finish: beginning again"
    find $data -mindepth 1 -maxdepth 1 ! -name .initialising -exec rm -rf {} +
  elif [[ -d $data/mysql ]]; then
    return 0
  fi
  touch $mark
  say "making the database's files"
  sql=$(statements)
  mariadb-install-db --datadir=$data --skip-test-db --auth-root-authentication-method=normal --skip-name-resolve --skip-log-bin >/dev/null
  mariadbd --bootstrap --skip-log-bin <<<"$sql"
  rm $mark
}

[[ ${1:-} != -* ]] || set -- mariadbd "$@"
[[ ${1:-} == mariadbd || ${1:-} == mysqld ]] || exec "$@"
[[ -z $(find /docker-entrypoint-initdb.d -type f -print -quit 2>/dev/null) ]] ||
  die "/docker-entrypoint-initdb.d has files: this stand-in for the official image does not run them"
if (($(id -u) == 0)); then # as the official image: root only hands the volume over
  chown 999:999 $data /run/mysqld
  exec setpriv --reuid 999 --regid 999 --clear-groups "$0" "$@"
fi
initialise
exec "$@"
