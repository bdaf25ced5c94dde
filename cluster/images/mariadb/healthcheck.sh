#!/usr/bin/env bash
# Asks the server of this container how it is. Each option is one question, and all must be answered well:
#   --connect              it takes connections over TCP
#   --innodb_initialized   its storage engine is ready
# The official image has more of them; others are refused here.
set -euo pipefail

ask() { mariadb --defaults-file=/var/lib/mysql/.my-healthcheck.cnf --skip-column-names --batch --connect-timeout 3 "$@"; }

(($#)) || { echo "healthcheck.sh: no question was asked" >&2; exit 1; }
for question; do
  case $question in
  --connect) ask --host 127.0.0.1 --protocol tcp --execute 'SELECT 1' >/dev/null ;;
  --innodb_initialized)
    answer=$(ask --host 127.0.0.1 --protocol tcp --execute \
      "SELECT 1 FROM information_schema.ENGINES WHERE engine = 'innodb' AND support IN ('YES', 'DEFAULT', 'ENABLED')")
    [[ $answer == 1 ]]
    ;;
  *) echo "healthcheck.sh: no such question: $question" >&2; exit 1 ;;
  esac
done
