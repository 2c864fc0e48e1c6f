# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   sync-group/lb1.conf:31, sync-group/lb2.conf:31: vrrp_instance INSIDE / virtual_routes: this version moves addresses alone, and no routes or rules with them; set them on all directors, or by the script of a notify block
#
# changed meaning:
#   sync-group/lb1.conf:9, sync-group/lb2.conf:9: vrrp_sync_group FW / notify /etc/keepalived/notify.sh: notify "FW": the last arguments are as from keepalived, for which a shell sees, as here it is GROUP FW, but the priority is always 100; one runs after another, for 5m at most
#   sync-group/lb1.conf:10, sync-group/lb2.conf:10: vrrp_sync_group FW / notify_master "/etc/keepalived/to-master.sh all": notify "FW-states": a shell runs it where QUORATE_STATE is MASTER; one runs after another, for 5m at most
#   sync-group/lb1.conf:16, sync-group/lb1.conf:25: virtual_router_id: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   sync-group/lb1.conf:17, sync-group/lb1.conf:26, sync-group/lb2.conf:17, sync-group/lb2.conf:26: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# VIPs that always have the same owner, and where they go.
# sync-group/lb1.conf:1, sync-group/lb2.conf:1
group "FW" {
  prefer  = ["lb1", "lb2"]
  preempt = true
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# sync-group/lb1.conf:25, sync-group/lb2.conf:25
virtual_router "INSIDE" {
  vrid    = 2
  version = 2
}

# sync-group/lb1.conf:16, sync-group/lb2.conf:16
virtual_router "OUTSIDE" {
  vrid    = 1
  version = 2
}

# A virtual IP address, which one node at a time owns.
# sync-group/lb1.conf:28, sync-group/lb2.conf:28
vip "10.0.0.1" {
  address        = "10.0.0.1/24"
  interface      = "eth1"
  group          = "FW"
  virtual_router = "INSIDE"
}

# sync-group/lb1.conf:29, sync-group/lb2.conf:29
vip "10.0.1.1" {
  address        = "10.0.1.1/24"
  interface      = "eth1"
  group          = "FW"
  virtual_router = "INSIDE"
}

# sync-group/lb1.conf:19, sync-group/lb2.conf:19
vip "OUTSIDE" {
  address        = "192.0.2.1/28"
  interface      = "eth0"
  group          = "FW"
  virtual_router = "OUTSIDE"
}

# What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask 127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.
# sync-group/lb1.conf:7, sync-group/lb2.conf:7
node_check "link-eth2" {
  required = true
  groups   = ["FW"]

  check "interface" {
    interval  = "2s"
    timeout   = "1s"
    rise      = 1
    fall      = 1
    interface = "eth2"
  }
}

# Somebody who is told what happens, by exactly one of the blocks in it. A `webhook` and an `email` are sent by the leader, each event once and in order; a `script` is run, and a `fifo` is written, by each node about itself, as keepalived does. notify.md says what is promised.
# sync-group/lb1.conf:9, sync-group/lb2.conf:9
notify "FW" {
  vips = ["OUTSIDE"]

  script {
    command = ["/bin/sh", "-c", "case \"$QUORATE_TYPE $QUORATE_NAME\" in 'GROUP FW') exec '/etc/keepalived/notify.sh' 'GROUP' 'FW' \"$QUORATE_STATE\" 100;; esac"]
    timeout = "5m"
  }
}

# sync-group/lb1.conf:10, sync-group/lb2.conf:10
notify "FW-states" {
  vips = ["OUTSIDE"]

  script {
    command = ["/bin/sh", "-c", "case \"$QUORATE_TYPE $QUORATE_NAME $QUORATE_STATE\" in 'GROUP FW MASTER') exec '/etc/keepalived/to-master.sh' 'all';; esac"]
    timeout = "5m"
  }
}

# All findings:
# unsupported (4)
#   sync-group/lb1.conf:31, sync-group/lb2.conf:31  vrrp_instance INSIDE / virtual_routes                                      this version moves addresses alone, and no routes or rules with them; set them on all directors, or by the script of a notify block
#   sync-group/lb1.conf:32, sync-group/lb2.conf:32  vrrp_instance INSIDE / virtual_routes / 0.0.0.0/0 via 192.0.2.14 dev eth0  it is part of virtual_routes
#
# changed meaning (10)
#   sync-group/lb1.conf:9, sync-group/lb2.conf:9    vrrp_sync_group FW / notify /etc/keepalived/notify.sh                  notify "FW": the last arguments are as from keepalived, for which a shell sees, as here it is GROUP FW, but the priority is always 100; one runs after another, for 5m at most
#   sync-group/lb1.conf:10, sync-group/lb2.conf:10  vrrp_sync_group FW / notify_master "/etc/keepalived/to-master.sh all"  notify "FW-states": a shell runs it where QUORATE_STATE is MASTER; one runs after another, for 5m at most
#   sync-group/lb1.conf:16                          vrrp_instance OUTSIDE / virtual_router_id 1                            the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   sync-group/lb1.conf:17                          vrrp_instance OUTSIDE / priority 150                                   it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   sync-group/lb1.conf:25                          vrrp_instance INSIDE / virtual_router_id 2                             the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   sync-group/lb1.conf:26                          vrrp_instance INSIDE / priority 150                                    it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   sync-group/lb2.conf:17                          vrrp_instance OUTSIDE / priority 50                                    it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   sync-group/lb2.conf:26                          vrrp_instance INSIDE / priority 50                                     it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#
# ignored: not needed (6)
#   sync-group/lb1.conf:11, sync-group/lb2.conf:11  vrrp_sync_group FW / smtp_alert       there is nobody to send mail to
#   sync-group/lb1.conf:14                          vrrp_instance OUTSIDE / state MASTER  it is a hint for the start; `prefer` follows the priorities
#   sync-group/lb1.conf:23                          vrrp_instance INSIDE / state MASTER   it is a hint for the start; `prefer` follows the priorities
#   sync-group/lb2.conf:14                          vrrp_instance OUTSIDE / state BACKUP  it is a hint for the start; `prefer` follows the priorities
#   sync-group/lb2.conf:23                          vrrp_instance INSIDE / state BACKUP   it is a hint for the start; `prefer` follows the priorities
#
# mapped (34)
#   sync-group/lb1.conf:1, sync-group/lb2.conf:1    vrrp_sync_group FW                                        group "FW"
#   sync-group/lb1.conf:2, sync-group/lb2.conf:2    vrrp_sync_group FW / group                                vip: group
#   sync-group/lb1.conf:3, sync-group/lb2.conf:3    vrrp_sync_group FW / group / OUTSIDE                      vip: group = "FW"
#   sync-group/lb1.conf:4, sync-group/lb2.conf:4    vrrp_sync_group FW / group / INSIDE                       vip: group = "FW"
#   sync-group/lb1.conf:6, sync-group/lb2.conf:6    vrrp_sync_group FW / track_interface                      node_check: vips, groups
#   sync-group/lb1.conf:7, sync-group/lb2.conf:7    vrrp_sync_group FW / track_interface / eth2               node_check "link-eth2": required
#   sync-group/lb1.conf:13, sync-group/lb2.conf:13  vrrp_instance OUTSIDE                                     group "FW"
#   sync-group/lb1.conf:15, sync-group/lb2.conf:15  vrrp_instance OUTSIDE / interface eth0                    vip: interface
#   sync-group/lb1.conf:16, sync-group/lb2.conf:16  vrrp_instance OUTSIDE / virtual_router_id 1               virtual_router: vrid
#   sync-group/lb1.conf:18, sync-group/lb2.conf:18  vrrp_instance OUTSIDE / virtual_ipaddress                 vip: address
#   sync-group/lb1.conf:19, sync-group/lb2.conf:19  vrrp_instance OUTSIDE / virtual_ipaddress / 192.0.2.1/28  vip "OUTSIDE": address
#   sync-group/lb1.conf:22, sync-group/lb2.conf:22  vrrp_instance INSIDE                                      group "FW"
#   sync-group/lb1.conf:24, sync-group/lb2.conf:24  vrrp_instance INSIDE / interface eth1                     vip: interface
#   sync-group/lb1.conf:25, sync-group/lb2.conf:25  vrrp_instance INSIDE / virtual_router_id 2                virtual_router: vrid
#   sync-group/lb1.conf:27, sync-group/lb2.conf:27  vrrp_instance INSIDE / virtual_ipaddress                  vip: address
#   sync-group/lb1.conf:28, sync-group/lb2.conf:28  vrrp_instance INSIDE / virtual_ipaddress / 10.0.0.1/24    vip "10.0.0.1": address
#   sync-group/lb1.conf:29, sync-group/lb2.conf:29  vrrp_instance INSIDE / virtual_ipaddress / 10.0.1.1/24    vip "10.0.1.1": address
#
