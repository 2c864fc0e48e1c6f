# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   cloud-unicast/lb1.conf:3, cloud-unicast/lb2.conf:3: vrrp_script checkhaproxy / script "/etc/keepalived/do_sth.sh": it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   cloud-unicast/lb1.conf:9: vrrp_instance VI_1 / virtual_router_id 51: the directors send the adverts to each other alone, and the nodes would not hear them; add the addresses of the nodes to unicast_peer on all directors before
#   cloud-unicast/lb1.conf:10, cloud-unicast/lb2.conf:10: vrrp_instance VI_1 / nopreempt: preempt = false, of the VIPs and of the virtual_router: a director of keepalived that has the addresses keeps them; take it out of the virtual_router before the takeover, or stop that director then
#   cloud-unicast/lb1.conf:11, cloud-unicast/lb2.conf:11: vrrp_instance VI_1 / priority 100: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 100 at most
#   cloud-unicast/lb1.conf:24, cloud-unicast/lb2.conf:24: vrrp_instance VI_1 / notify_master "/etc/keepalived/notify_action.sh MASTER": notify "VI_1-states": a shell runs it where QUORATE_STATE is MASTER; one runs after another, for 5m at most
#   cloud-unicast/lb1.conf:25, cloud-unicast/lb2.conf:25: vrrp_instance VI_1 / notify_backup "/etc/keepalived/notify_action.sh BACKUP": notify "VI_1-states": a shell runs it where QUORATE_STATE is BACKUP; one runs after another, for 5m at most
#   cloud-unicast/lb1.conf:26, cloud-unicast/lb2.conf:26: vrrp_instance VI_1 / notify_fault "/etc/keepalived/notify_action.sh FAULT": notify "VI_1-states": a shell runs it where QUORATE_STATE is FAULT; one runs after another, for 5m at most
#   cloud-unicast/lb1.conf:27, cloud-unicast/lb2.conf:27: vrrp_instance VI_1 / notify_stop "/etc/keepalived/notify_action.sh STOP": notify "VI_1-states": a shell runs it where QUORATE_STATE is STOP; one runs after another, for 5m at most
#   cloud-unicast/lb2.conf:11: vrrp_instance VI_1 / priority 100: lb1 has the same priority, 100: in keepalived the higher IP address wins; the order of the files was taken for prefer; look whether it is the order that is wanted

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# cloud-unicast/lb1.conf:9, cloud-unicast/lb2.conf:9, cloud-unicast/lb1.conf:14, cloud-unicast/lb1.conf:15, and 12 more
virtual_router "VI_1" {
  vrid     = 51
  version  = 2
  interval = "5s"
  password = "1111"
  peers    = ["172.16.16.5", "172.16.16.6"]
  unicast  = true
  preempt  = false
}

# A virtual IP address, which one node at a time owns.
# cloud-unicast/lb1.conf:22, cloud-unicast/lb2.conf:22
vip "VI_1" {
  address        = "172.16.16.12/32"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  virtual_router = "VI_1"
}

# What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask 127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.
# cloud-unicast/lb1.conf:2, cloud-unicast/lb2.conf:2
node_check "checkhaproxy" {
  required = true
  vips     = ["VI_1"]

  check "script" {
    interval = "5s"
    timeout  = "5s"
    rise     = 1
    fall     = 1
    command  = ["/etc/keepalived/do_sth.sh"]
  }
}

# cloud-unicast/lb1.conf:31, cloud-unicast/lb2.conf:31
node_check "link-eth0" {
  required = true
  vips     = ["VI_1"]

  check "interface" {
    interval  = "2s"
    timeout   = "1s"
    rise      = 1
    fall      = 1
    interface = "eth0"
  }
}

# Somebody who is told what happens, by exactly one of the blocks in it. A `webhook` and an `email` are sent by the leader, each event once and in order; a `script` is run, and a `fifo` is written, by each node about itself, as keepalived does. notify.md says what is promised.
# cloud-unicast/lb1.conf:25, cloud-unicast/lb1.conf:26, cloud-unicast/lb1.conf:24, cloud-unicast/lb1.conf:27, and 4 more
notify "VI_1-states" {
  vips = ["VI_1"]

  script {
    command = ["/bin/sh", "-c", "case \"$QUORATE_TYPE $QUORATE_NAME $QUORATE_STATE\" in 'INSTANCE VI_1 BACKUP') exec '/etc/keepalived/notify_action.sh' 'BACKUP';; 'INSTANCE VI_1 FAULT') exec '/etc/keepalived/notify_action.sh' 'FAULT';; 'INSTANCE VI_1 MASTER') exec '/etc/keepalived/notify_action.sh' 'MASTER';; 'INSTANCE VI_1 STOP') exec '/etc/keepalived/notify_action.sh' 'STOP';; esac"]
    timeout = "5m"
  }
}

# All findings:
# changed meaning (16)
#   cloud-unicast/lb1.conf:3, cloud-unicast/lb2.conf:3    vrrp_script checkhaproxy / script "/etc/keepalived/do_sth.sh"                 it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   cloud-unicast/lb1.conf:9                              vrrp_instance VI_1 / virtual_router_id 51                                     the directors send the adverts to each other alone, and the nodes would not hear them; add the addresses of the nodes to unicast_peer on all directors before
#   cloud-unicast/lb1.conf:10, cloud-unicast/lb2.conf:10  vrrp_instance VI_1 / nopreempt                                                preempt = false, of the VIPs and of the virtual_router: a director of keepalived that has the addresses keeps them; take it out of the virtual_router before the takeover, or stop that director then
#   cloud-unicast/lb1.conf:11, cloud-unicast/lb2.conf:11  vrrp_instance VI_1 / priority 100                                             it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 100 at most
#   cloud-unicast/lb1.conf:24, cloud-unicast/lb2.conf:24  vrrp_instance VI_1 / notify_master "/etc/keepalived/notify_action.sh MASTER"  notify "VI_1-states": a shell runs it where QUORATE_STATE is MASTER; one runs after another, for 5m at most
#   cloud-unicast/lb1.conf:25, cloud-unicast/lb2.conf:25  vrrp_instance VI_1 / notify_backup "/etc/keepalived/notify_action.sh BACKUP"  notify "VI_1-states": a shell runs it where QUORATE_STATE is BACKUP; one runs after another, for 5m at most
#   cloud-unicast/lb1.conf:26, cloud-unicast/lb2.conf:26  vrrp_instance VI_1 / notify_fault "/etc/keepalived/notify_action.sh FAULT"    notify "VI_1-states": a shell runs it where QUORATE_STATE is FAULT; one runs after another, for 5m at most
#   cloud-unicast/lb1.conf:27, cloud-unicast/lb2.conf:27  vrrp_instance VI_1 / notify_stop "/etc/keepalived/notify_action.sh STOP"      notify "VI_1-states": a shell runs it where QUORATE_STATE is STOP; one runs after another, for 5m at most
#   cloud-unicast/lb2.conf:11                             vrrp_instance VI_1 / priority 100                                             lb1 has the same priority, 100: in keepalived the higher IP address wins; the order of the files was taken for prefer; look whether it is the order that is wanted
#
# ignored: not needed (6)
#   cloud-unicast/lb1.conf:7, cloud-unicast/lb2.conf:7    vrrp_instance VI_1 / state BACKUP           it is a hint for the start; `prefer` follows the priorities
#   cloud-unicast/lb1.conf:28, cloud-unicast/lb2.conf:28  vrrp_instance VI_1 / garp_master_delay 1    the new owner announces an address at once, several times, and again while it has it, without being told
#   cloud-unicast/lb1.conf:29, cloud-unicast/lb2.conf:29  vrrp_instance VI_1 / garp_master_refresh 5  the new owner announces an address at once, several times, and again while it has it, without being told
#
# mapped (36)
#   cloud-unicast/lb1.conf:2, cloud-unicast/lb2.conf:2    vrrp_script checkhaproxy                               node_check
#   cloud-unicast/lb1.conf:4, cloud-unicast/lb2.conf:4    vrrp_script checkhaproxy / interval 5                  check: interval
#   cloud-unicast/lb1.conf:6, cloud-unicast/lb2.conf:6    vrrp_instance VI_1                                     vip "VI_1"
#   cloud-unicast/lb1.conf:8, cloud-unicast/lb2.conf:8    vrrp_instance VI_1 / interface eth0                    vip: interface
#   cloud-unicast/lb1.conf:9, cloud-unicast/lb2.conf:9    vrrp_instance VI_1 / virtual_router_id 51              virtual_router: vrid
#   cloud-unicast/lb1.conf:12, cloud-unicast/lb2.conf:12  vrrp_instance VI_1 / advert_int 5                      virtual_router: interval
#   cloud-unicast/lb1.conf:13, cloud-unicast/lb2.conf:13  vrrp_instance VI_1 / authentication                    virtual_router: password
#   cloud-unicast/lb1.conf:14, cloud-unicast/lb2.conf:14  vrrp_instance VI_1 / authentication / auth_type PASS   virtual_router: password
#   cloud-unicast/lb1.conf:15, cloud-unicast/lb2.conf:15  vrrp_instance VI_1 / authentication / auth_pass …      virtual_router: password
#   cloud-unicast/lb1.conf:17                             vrrp_instance VI_1 / unicast_src_ip 172.16.16.5        virtual_router: peers
#   cloud-unicast/lb1.conf:18, cloud-unicast/lb2.conf:18  vrrp_instance VI_1 / unicast_peer                      virtual_router: unicast
#   cloud-unicast/lb1.conf:19                             vrrp_instance VI_1 / unicast_peer / 172.16.16.6        virtual_router: peers
#   cloud-unicast/lb1.conf:21, cloud-unicast/lb2.conf:21  vrrp_instance VI_1 / virtual_ipaddress                 vip: address
#   cloud-unicast/lb1.conf:22, cloud-unicast/lb2.conf:22  vrrp_instance VI_1 / virtual_ipaddress / 172.16.16.12  vip "VI_1": address
#   cloud-unicast/lb1.conf:30, cloud-unicast/lb2.conf:30  vrrp_instance VI_1 / track_interface                   node_check: vips, groups
#   cloud-unicast/lb1.conf:31, cloud-unicast/lb2.conf:31  vrrp_instance VI_1 / track_interface / eth0            node_check "link-eth0": required
#   cloud-unicast/lb1.conf:33, cloud-unicast/lb2.conf:33  vrrp_instance VI_1 / track_script                      node_check: vips, groups
#   cloud-unicast/lb1.conf:34, cloud-unicast/lb2.conf:34  vrrp_instance VI_1 / track_script / checkhaproxy       node_check "checkhaproxy": required
#   cloud-unicast/lb2.conf:17                             vrrp_instance VI_1 / unicast_src_ip 172.16.16.6        virtual_router: peers
#   cloud-unicast/lb2.conf:19                             vrrp_instance VI_1 / unicast_peer / 172.16.16.5        virtual_router: peers
#
