#!/usr/bin/env bash
# A real Slurm cluster on this one machine, without systemd: three nodes, fake GPUs, accounting.
#
#   tests/slurm/cluster.sh up       install what is missing (Debian, root), start, wait until idle
#   tests/slurm/cluster.sh down     cancel all jobs and stop every daemon that `up` started
#   tests/slurm/cluster.sh status   what runs, and the nodes
#   tests/slurm/cluster.sh stop  slurmd.g1 | slurmctld    kill one daemon with SIGKILL, as faults do
#   tests/slurm/cluster.sh start slurmd.g1 | slurmctld    and bring it back
#
# State lies in $SANDBOX (default /tmp/tuneatlas-slurm). `up` says why it cannot where it cannot.
# Node c1 has processors only; g1 and g2 have two GPUs each, which are null devices.
set -euo pipefail

SANDBOX=${SANDBOX:-/tmp/tuneatlas-slurm}
CPUS=${CPUS:-4} MEMORY=${MEMORY:-20000} # of each node, in MB: more than there is, if need be
NODES=(c1 g1 g2)
DAEMONS=(munged mariadbd slurmdbd slurmctld slurmd.c1 slurmd.g1 slurmd.g2)
PACKAGES=(munge slurmctld slurmd slurm-client slurm-wlm-basic-plugins slurmdbd slurm-wlm-mysql-plugin
  mariadb-server)
export PATH=$PATH:/usr/sbin:/sbin SLURM_CONF=$SANDBOX/etc/slurm.conf

fail() { echo "cluster.sh: $*" >&2; exit 1; }

# wait_for SECONDS WHAT COMMAND...: until the command succeeds
wait_for() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || fail "no $what; see $SANDBOX/log"
    sleep 0.2
  done
}

pid_of() { cat "$SANDBOX/run/$1.pid" 2>/dev/null; }

# A zombie counts as ended: nobody may reap it in a container.
runs() {
  local pid state
  pid=$(pid_of "$1") && [ -n "$pid" ] || return 1
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "${1%%.*}" ] || return 1
  state=$(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null) && [ "$state" != Z ]
}

ended() { ! runs "$1"; }

start_daemon() {
  if runs "$1"; then return; fi
  local log=$SANDBOX/log/$1.start
  case $1 in
    munged) munged --force --socket="$SANDBOX/run/munge.socket" --key-file="$SANDBOX/etc/munge.key" \
      --pid-file="$SANDBOX/run/munged.pid" --log-file="$SANDBOX/log/munged.log" \
      --seed-file="$SANDBOX/state/munge.seed" 2>"$log" ;;
    mariadbd) setsid mariadbd --no-defaults --user=root --datadir="$SANDBOX/state/mysql" \
      --pid-file="$SANDBOX/run/mariadbd.pid" --socket="$SANDBOX/run/mysqld.sock" --port=16406 \
      --bind-address=127.0.0.1 --innodb-buffer-pool-size=64M --innodb-lock-wait-timeout=900 \
      --innodb-flush-log-at-trx-commit=2 >"$log" 2>&1 </dev/null & ;;
    slurmdbd | slurmctld) "$1" >"$log" 2>&1 ;;
    slurmd.*) slurmd -N "${1#slurmd.}" >"$log" 2>&1 ;;
    *) fail "no daemon '$1'; there are ${DAEMONS[*]}" ;;
  esac
  wait_for 20 "$1" runs "$1"
}

# stop_daemon NAME SIGNAL: and wait until it is gone
stop_daemon() {
  if runs "$1"; then
    kill "-$2" "$(pid_of "$1")"
    wait_for 20 "end of $1" ended "$1"
  fi
  rm -f "$SANDBOX/run/$1.pid"
}

install_missing() {
  if command -v slurmctld slurmd sbatch munged slurmdbd mariadbd >/dev/null; then return; fi
  [ "$(id -u)" = 0 ] || fail "needs root, or these Debian packages: ${PACKAGES[*]}"
  command -v apt-get >/dev/null || fail "needs Debian: no apt-get here"
  # So that the packages do not start daemons of their own.
  local policy=/usr/sbin/policy-rc.d made=
  [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && made=1; }
  export DEBIAN_FRONTEND=noninteractive
  local log=$SANDBOX/log/apt.log
  { apt-get update && apt-get install -y --no-install-recommends "${PACKAGES[@]}"; } >"$log" 2>&1 ||
    fail "apt-get cannot install Slurm; see $log"
  [ -z $made ] || rm -f $policy
}

write_configuration() {
  local host node port=16910
  host=$(hostname -s)
  cat >"$SANDBOX/etc/slurm.conf" <<CONF
ClusterName=sandbox
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16917
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$SANDBOX/run/munge.socket
CredType=cred/munge
StateSaveLocation=$SANDBOX/state/slurmctld
SlurmdSpoolDir=$SANDBOX/state/slurmd.%n
SlurmctldPidFile=$SANDBOX/run/slurmctld.pid
SlurmdPidFile=$SANDBOX/run/slurmd.%n.pid
SlurmctldLogFile=$SANDBOX/log/slurmctld.log
SlurmdLogFile=$SANDBOX/log/slurmd.%n.log
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=16919
AccountingStoragePass=$SANDBOX/run/munge.socket
AccountingStoreFlags=job_comment
AccountingStorageTRES=gres/gpu
AccountingStorageEnforce=associations
# The nodes may claim more than the machine has, and come back by themselves.
SlurmdParameters=config_overrides
ReturnToService=2
# Impossible requests are refused by sbatch instead of waiting for ever.
EnforcePartLimits=ALL
# Quick reactions, for tests; a site has larger values.
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0,bf_interval=5
SlurmdTimeout=15
SlurmctldTimeout=15
KillWait=20
MinJobAge=300
CompleteWait=0
MaxJobCount=20000
DefMemPerCPU=500
CONF
  cat >"$SANDBOX/etc/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$SANDBOX/run/munge.socket
DbdHost=$host
DbdAddr=127.0.0.1
DbdPort=16919
SlurmUser=root
PidFile=$SANDBOX/run/slurmdbd.pid
LogFile=$SANDBOX/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=16406
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
CONF
  chmod 600 "$SANDBOX/etc/slurmdbd.conf"
  : >"$SANDBOX/etc/gres.conf"
  for node in "${NODES[@]}"; do
    port=$((port + 1))
    local gpus=
    case $node in g*)
      gpus=" Gres=gpu:2"
      echo "NodeName=$node Name=gpu File=$SANDBOX/state/gpu[0-1]" >>"$SANDBOX/etc/gres.conf"
      ;;
    esac
    echo "NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$port" \
      "CPUs=$CPUS RealMemory=$MEMORY$gpus State=UNKNOWN" >>"$SANDBOX/etc/slurm.conf"
  done
  cat >>"$SANDBOX/etc/slurm.conf" <<CONF
PartitionName=cpu Nodes=c1,g[1-2] Default=YES MaxTime=1-0 DefaultTime=30 State=UP
PartitionName=gpu Nodes=g[1-2] MaxTime=1-0 DefaultTime=30 State=UP
CONF
  # Steps are started with an environment free of SLURM_*, so the file must lie where all look.
  mkdir -p /etc/slurm
  [ ! -e /etc/slurm/slurm.conf ] || [ -L /etc/slurm/slurm.conf ] ||
    fail "/etc/slurm/slurm.conf is another cluster's: the sandbox would be in its way"
  ln -sfn "$SANDBOX/etc/slurm.conf" /etc/slurm/slurm.conf
}

make_database() {
  [ -d "$SANDBOX/state/mysql/mysql" ] || mariadb-install-db --no-defaults --user=root \
    --datadir="$SANDBOX/state/mysql" --auth-root-authentication-method=normal --skip-test-db \
    >"$SANDBOX/log/mariadb-install.log" 2>&1
}

add_account() {
  sacctmgr -in add cluster sandbox || true
  sacctmgr -in add account lab Cluster=sandbox || true
  sacctmgr -in add user root Account=lab DefaultAccount=lab || true
} >/dev/null 2>&1

all_idle() {
  [ "$(sinfo -hN -o '%N %t' | sort -u | grep -cE ' (idle|mix|alloc)$')" = ${#NODES[@]} ]
}

up() {
  mkdir -p "$SANDBOX"/{etc,run,log,state/slurmctld,state/slurmd.{c1,g1,g2},state/mysql}
  install_missing
  if ! runs slurmctld; then write_configuration; fi
  local gpu
  for gpu in 0 1; do # a name that ends in a digit and a character device: Slurm asks for both
    [ -c "$SANDBOX/state/gpu$gpu" ] || mknod -m 666 "$SANDBOX/state/gpu$gpu" c 1 3 ||
      fail "cannot make device files here, so there are no fake GPUs"
  done
  [ -s "$SANDBOX/etc/munge.key" ] ||
    (umask 077 && head -c 1024 /dev/urandom >"$SANDBOX/etc/munge.key")
  start_daemon munged
  make_database
  start_daemon mariadbd
  local sql=(mariadb --no-defaults --socket="$SANDBOX/run/mysqld.sock" -u root -e)
  wait_for 60 database "${sql[@]}" "SELECT 1"
  "${sql[@]}" "CREATE DATABASE IF NOT EXISTS slurm_acct_db;
    CREATE USER IF NOT EXISTS slurm@localhost IDENTIFIED BY 'slurm';
    CREATE USER IF NOT EXISTS slurm@'127.0.0.1' IDENTIFIED BY 'slurm';
    GRANT ALL ON slurm_acct_db.* TO slurm@localhost;
    GRANT ALL ON slurm_acct_db.* TO slurm@'127.0.0.1'"
  start_daemon slurmdbd
  wait_for 60 accounting sacctmgr -n list cluster
  add_account
  start_daemon slurmctld
  wait_for 30 controller scontrol ping
  local node
  for node in "${NODES[@]}"; do start_daemon "slurmd.$node"; done
  for node in "${NODES[@]}"; do scontrol update nodename="$node" state=resume 2>/dev/null || true; done
  wait_for 60 "idle nodes" all_idle
  echo "Slurm $(sinfo -V | cut -d' ' -f2) is up after $SECONDS s: nodes ${NODES[*]}, partitions cpu gpu, account lab"
}

down() {
  if runs slurmctld; then scancel -u root 2>/dev/null || true; fi
  local at
  for ((at = ${#DAEMONS[@]} - 1; at >= 0; at--)); do stop_daemon "${DAEMONS[$at]}" TERM; done
  if [ "$(readlink /etc/slurm/slurm.conf)" = "$SLURM_CONF" ]; then rm /etc/slurm/slurm.conf; fi
}

status() {
  local name
  for name in "${DAEMONS[@]}"; do
    if runs "$name"; then echo "$name $(pid_of "$name")"; else echo "$name down"; fi
  done
  sinfo -N -o '%N %P %t %c %m %G'
}

case ${1:-} in
  up | down | status) "$1" ;;
  start) start_daemon "$2" ;;
  stop) stop_daemon "$2" KILL ;;
  *) fail "say up, down, status, start NAME or stop NAME" ;;
esac
