# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   haproxy-killall/lb1.conf:7, haproxy-killall/lb2.conf:7: global_defs / smtp_server 127.0.0.1: notify "mail": server, in the clear as keepalived sends (starttls = false); the leader sends it, once for the cluster; leave starttls out, if the server can do it and is not on the same host
#   haproxy-killall/lb1.conf:13, haproxy-killall/lb2.conf:13: vrrp_script chk_haproxy / script "killall -0 haproxy": it only looks whether haproxy runs: check "process" hears of that from the kernel, and starts no program
#   haproxy-killall/lb1.conf:15, haproxy-killall/lb2.conf:15: vrrp_script chk_haproxy / weight 2: node_check "chk_haproxy": weight = -2: what a node had more while the check passes, it has less while it fails, which comes to the same
#   haproxy-killall/lb1.conf:21: vrrp_instance VI_1 / virtual_router_id 51: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   haproxy-killall/lb1.conf:22, haproxy-killall/lb2.conf:22: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 103 at most
#   haproxy-killall/lb1.conf:23, haproxy-killall/lb2.conf:23: vrrp_instance VI_1 / smtp_alert: notify "mail": events; it tells of all VIPs and services, or of none

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# haproxy-killall/lb1.conf:21, haproxy-killall/lb2.conf:21
virtual_router "VI_1" {
  vrid    = 51
  version = 2
}

# A virtual IP address, which one node at a time owns.
# haproxy-killall/lb1.conf:25, haproxy-killall/lb2.conf:25
vip "VI_1" {
  address        = "203.0.113.5/32"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "VI_1"
}

# What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask 127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.
# haproxy-killall/lb1.conf:12, haproxy-killall/lb2.conf:12
node_check "chk_haproxy" {
  weight = -2
  vips   = ["VI_1"]

  check "process" {
    interval = "2s"
    timeout  = "2s"
    rise     = 1
    fall     = 1
    process  = "haproxy"
    least    = 1
  }
}

# Somebody who is told what happens, by exactly one of the blocks in it. A `webhook` and an `email` are sent by the leader, each event once and in order; a `script` is run, and a `fifo` is written, by each node about itself, as keepalived does. notify.md says what is promised.
# haproxy-killall/lb1.conf:7, haproxy-killall/lb2.conf:7
notify "mail" {
  events = ["assign", "fence"]

  email {
    server   = "127.0.0.1:25"
    from     = "keepalived@example.org"
    to       = ["ops@example.org", "night@example.org"]
    starttls = false
    timeout  = "30s"
  }
}

# All findings:
# changed meaning (11)
#   haproxy-killall/lb1.conf:7, haproxy-killall/lb2.conf:7    global_defs / smtp_server 127.0.0.1                    notify "mail": server, in the clear as keepalived sends (starttls = false); the leader sends it, once for the cluster; leave starttls out, if the server can do it and is not on the same host
#   haproxy-killall/lb1.conf:13, haproxy-killall/lb2.conf:13  vrrp_script chk_haproxy / script "killall -0 haproxy"  it only looks whether haproxy runs: check "process" hears of that from the kernel, and starts no program
#   haproxy-killall/lb1.conf:15, haproxy-killall/lb2.conf:15  vrrp_script chk_haproxy / weight 2                     node_check "chk_haproxy": weight = -2: what a node had more while the check passes, it has less while it fails, which comes to the same
#   haproxy-killall/lb1.conf:21                               vrrp_instance VI_1 / virtual_router_id 51              the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   haproxy-killall/lb1.conf:22                               vrrp_instance VI_1 / priority 101                      it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 103 at most
#   haproxy-killall/lb1.conf:23, haproxy-killall/lb2.conf:23  vrrp_instance VI_1 / smtp_alert                        notify "mail": events; it tells of all VIPs and services, or of none
#   haproxy-killall/lb2.conf:22                               vrrp_instance VI_1 / priority 100                      it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 103 at most
#
# ignored: not needed (4)
#   haproxy-killall/lb1.conf:9   global_defs / router_id haproxy-a  a node has the name of its agent, lb1
#   haproxy-killall/lb1.conf:19  vrrp_instance VI_1 / state MASTER  it is a hint for the start; `prefer` follows the priorities
#   haproxy-killall/lb2.conf:9   global_defs / router_id haproxy-b  a node has the name of its agent, lb2
#   haproxy-killall/lb2.conf:19  vrrp_instance VI_1 / state BACKUP  it is a hint for the start; `prefer` follows the priorities
#
# mapped (30)
#   haproxy-killall/lb1.conf:1, haproxy-killall/lb2.conf:1    global_defs                                                         cluster, and notify blocks: see what stands in it
#   haproxy-killall/lb1.conf:2, haproxy-killall/lb2.conf:2    global_defs / notification_email                                    notify "mail": to
#   haproxy-killall/lb1.conf:3, haproxy-killall/lb2.conf:3    global_defs / notification_email / ops@example.org                  it is part of notification_email
#   haproxy-killall/lb1.conf:4, haproxy-killall/lb2.conf:4    global_defs / notification_email / Night shift <night@example.org>  it is part of notification_email
#   haproxy-killall/lb1.conf:6, haproxy-killall/lb2.conf:6    global_defs / notification_email_from keepalived@example.org        notify "mail": from
#   haproxy-killall/lb1.conf:8, haproxy-killall/lb2.conf:8    global_defs / smtp_connect_timeout 30                               notify "mail": timeout
#   haproxy-killall/lb1.conf:12, haproxy-killall/lb2.conf:12  vrrp_script chk_haproxy                                             node_check
#   haproxy-killall/lb1.conf:14, haproxy-killall/lb2.conf:14  vrrp_script chk_haproxy / interval 2                                check: interval
#   haproxy-killall/lb1.conf:18, haproxy-killall/lb2.conf:18  vrrp_instance VI_1                                                  vip "VI_1"
#   haproxy-killall/lb1.conf:20, haproxy-killall/lb2.conf:20  vrrp_instance VI_1 / interface eth0                                 vip: interface
#   haproxy-killall/lb1.conf:21, haproxy-killall/lb2.conf:21  vrrp_instance VI_1 / virtual_router_id 51                           virtual_router: vrid
#   haproxy-killall/lb1.conf:24, haproxy-killall/lb2.conf:24  vrrp_instance VI_1 / virtual_ipaddress                              vip: address
#   haproxy-killall/lb1.conf:25, haproxy-killall/lb2.conf:25  vrrp_instance VI_1 / virtual_ipaddress / 203.0.113.5                vip "VI_1": address
#   haproxy-killall/lb1.conf:27, haproxy-killall/lb2.conf:27  vrrp_instance VI_1 / track_script                                   node_check: vips, groups
#   haproxy-killall/lb1.conf:28, haproxy-killall/lb2.conf:28  vrrp_instance VI_1 / track_script / chk_haproxy                     node_check "chk_haproxy": weight = -2
#
