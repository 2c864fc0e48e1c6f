# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   dual-master/lb1.conf:54, dual-master/lb2.conf:54: vrrp_instance VI_2 / authentication: keepalived leaves it out: it knows only PASS and AH; correct the auth_type
#
# unsupported:
#   dual-master/lb1.conf:5, dual-master/lb2.conf:5: global_defs / notification_email / oncall: this is no mail address, and was left out; write it like ops@example.org, then import again
#   dual-master/lb1.conf:13, dual-master/lb2.conf:13: vrrp_script chk_nginx: "killall" has no absolute path, and there is no shell to look for it; name the program by its absolute path, then import again
#   dual-master/lb1.conf:35, dual-master/lb2.conf:35: vrrp_instance VI_1 / virtual_ipaddress / 172.16.70.80/16 dev ens160 label ens160:0: an address has a prefix length and an interface alone; left out: label ens160:0; look whether something relies on it
#   dual-master/lb1.conf:41: vrrp_instance VI_1 / track_script / chk_nginx: "killall" has no absolute path, and there is no shell to look for it, see dual-master/lb1.conf:13
#   dual-master/lb1.conf:59, dual-master/lb2.conf:59: vrrp_instance VI_2 / virtual_ipaddress / 172.16.70.90/16 dev ens160 label ens160:1: an address has a prefix length and an interface alone; left out: label ens160:1; look whether something relies on it
#   dual-master/lb2.conf:41: vrrp_instance VI_1 / track_script / chk_nginx: "killall" has no absolute path, and there is no shell to look for it, see dual-master/lb2.conf:13
#
# changed meaning:
#   dual-master/lb1.conf:8, dual-master/lb2.conf:8: global_defs / smtp_server 127.0.0.1: notify "mail": server, in the clear as keepalived sends (starttls = false); the leader sends it, once for the cluster; leave starttls out, if the server can do it and is not on the same host
#   dual-master/lb1.conf:19, dual-master/lb2.conf:19: vrrp_script chk_smtp / script "</dev/tcp/127.0.0.1/25": it only looks whether 127.0.0.1:25 takes a connection, which check "tcp" does without a shell
#   dual-master/lb1.conf:26, dual-master/lb1.conf:51: virtual_router_id: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   dual-master/lb1.conf:27, dual-master/lb1.conf:52, dual-master/lb2.conf:27, dual-master/lb2.conf:52: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 100 at most
#   dual-master/lb1.conf:29, dual-master/lb2.conf:29: vrrp_instance VI_1 / smtp_alert: notify "mail": events; it tells of all VIPs and services, or of none
#   dual-master/lb1.conf:44, dual-master/lb2.conf:44: vrrp_instance VI_1 / notify_master "/etc/keepalived/notify.sh master": notify "VI_1-states": a shell runs it where QUORATE_STATE is MASTER; one runs after another, for 5m at most
#   dual-master/lb1.conf:45, dual-master/lb2.conf:45: vrrp_instance VI_1 / notify_backup "/etc/keepalived/notify.sh backup": notify "VI_1-states": a shell runs it where QUORATE_STATE is BACKUP; one runs after another, for 5m at most
#   dual-master/lb1.conf:46, dual-master/lb2.conf:46: vrrp_instance VI_1 / notify_fault "/etc/keepalived/notify.sh fault": notify "VI_1-states": a shell runs it where QUORATE_STATE is FAULT; one runs after another, for 5m at most

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# dual-master/lb1.conf:26, dual-master/lb2.conf:26, dual-master/lb1.conf:31, dual-master/lb1.conf:32, and 6 more
virtual_router "VI_1" {
  vrid     = 71
  version  = 2
  password = "first"
  group    = "224.0.70.1"
}

# dual-master/lb1.conf:51, dual-master/lb2.conf:51, dual-master/lb1.conf:53, dual-master/lb2.conf:53
virtual_router "VI_2" {
  vrid    = 45
  version = 2
  group   = "224.0.70.1"
}

# A virtual IP address, which one node at a time owns.
# dual-master/lb1.conf:35, dual-master/lb2.conf:35
vip "VI_1" {
  address        = "172.16.70.80/16"
  interface      = "ens160"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "VI_1"
}

# dual-master/lb1.conf:59, dual-master/lb2.conf:59
vip "VI_2" {
  address        = "172.16.70.90/16"
  interface      = "ens160"
  prefer         = ["lb2", "lb1"]
  preempt        = true
  virtual_router = "VI_2"
}

# What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask 127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.
# dual-master/lb1.conf:18, dual-master/lb2.conf:18
node_check "chk_smtp" {
  weight = -2
  vips   = ["VI_1"]

  check "tcp" {
    port     = 25
    interval = "5s"
    timeout  = "5s"
    rise     = 1
    fall     = 1
    address  = "127.0.0.1"
  }
}

# dual-master/lb1.conf:38, dual-master/lb2.conf:38
node_check "link-ens160" {
  required = true
  vips     = ["VI_1"]

  check "interface" {
    interval  = "2s"
    timeout   = "1s"
    rise      = 1
    fall      = 1
    interface = "ens160"
  }
}

# Somebody who is told what happens, by exactly one of the blocks in it. A `webhook` and an `email` are sent by the leader, each event once and in order; a `script` is run, and a `fifo` is written, by each node about itself, as keepalived does. notify.md says what is promised.
# dual-master/lb1.conf:45, dual-master/lb1.conf:46, dual-master/lb1.conf:44, dual-master/lb2.conf:45, and 2 more
notify "VI_1-states" {
  vips = ["VI_1"]

  script {
    command = ["/bin/sh", "-c", "case \"$QUORATE_TYPE $QUORATE_NAME $QUORATE_STATE\" in 'INSTANCE VI_1 BACKUP') exec '/etc/keepalived/notify.sh' 'backup';; 'INSTANCE VI_1 FAULT') exec '/etc/keepalived/notify.sh' 'fault';; 'INSTANCE VI_1 MASTER') exec '/etc/keepalived/notify.sh' 'master';; esac"]
    timeout = "5m"
  }
}

# dual-master/lb1.conf:8, dual-master/lb2.conf:8
notify "mail" {
  events = ["assign", "fence"]

  email {
    server   = "127.0.0.1:25"
    from     = "ka@lb.example.org"
    to       = ["root@localhost"]
    starttls = false
    timeout  = "30s"
  }
}

# All findings:
# mistake in the source (6)
#   dual-master/lb1.conf:54, dual-master/lb2.conf:54  vrrp_instance VI_2 / authentication                   keepalived leaves it out: it knows only PASS and AH; correct the auth_type
#   dual-master/lb1.conf:55, dual-master/lb2.conf:55  vrrp_instance VI_2 / authentication / auth_type PSAA  it is part of authentication
#   dual-master/lb1.conf:56, dual-master/lb2.conf:56  vrrp_instance VI_2 / authentication / auth_pass …     it is part of authentication
#
# unsupported (16)
#   dual-master/lb1.conf:5, dual-master/lb2.conf:5    global_defs / notification_email / oncall                                           this is no mail address, and was left out; write it like ops@example.org, then import again
#   dual-master/lb1.conf:13, dual-master/lb2.conf:13  vrrp_script chk_nginx                                                               "killall" has no absolute path, and there is no shell to look for it; name the program by its absolute path, then import again
#   dual-master/lb1.conf:14, dual-master/lb2.conf:14  vrrp_script chk_nginx / script "killall -0 nginx && exit 0 || exit 1"               it is part of vrrp_script
#   dual-master/lb1.conf:15, dual-master/lb2.conf:15  vrrp_script chk_nginx / interval 2                                                  it is part of vrrp_script
#   dual-master/lb1.conf:16, dual-master/lb2.conf:16  vrrp_script chk_nginx / weight -60                                                  it is part of vrrp_script
#   dual-master/lb1.conf:35, dual-master/lb2.conf:35  vrrp_instance VI_1 / virtual_ipaddress / 172.16.70.80/16 dev ens160 label ens160:0  an address has a prefix length and an interface alone; left out: label ens160:0; look whether something relies on it
#   dual-master/lb1.conf:41                           vrrp_instance VI_1 / track_script / chk_nginx                                       "killall" has no absolute path, and there is no shell to look for it, see dual-master/lb1.conf:13
#   dual-master/lb1.conf:59, dual-master/lb2.conf:59  vrrp_instance VI_2 / virtual_ipaddress / 172.16.70.90/16 dev ens160 label ens160:1  an address has a prefix length and an interface alone; left out: label ens160:1; look whether something relies on it
#   dual-master/lb2.conf:41                           vrrp_instance VI_1 / track_script / chk_nginx                                       "killall" has no absolute path, and there is no shell to look for it, see dual-master/lb2.conf:13
#
# changed meaning (18)
#   dual-master/lb1.conf:8, dual-master/lb2.conf:8    global_defs / smtp_server 127.0.0.1                                    notify "mail": server, in the clear as keepalived sends (starttls = false); the leader sends it, once for the cluster; leave starttls out, if the server can do it and is not on the same host
#   dual-master/lb1.conf:19, dual-master/lb2.conf:19  vrrp_script chk_smtp / script "</dev/tcp/127.0.0.1/25"                 it only looks whether 127.0.0.1:25 takes a connection, which check "tcp" does without a shell
#   dual-master/lb1.conf:26                           vrrp_instance VI_1 / virtual_router_id 71                              the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   dual-master/lb1.conf:27                           vrrp_instance VI_1 / priority 100                                      it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 100 at most
#   dual-master/lb1.conf:29, dual-master/lb2.conf:29  vrrp_instance VI_1 / smtp_alert                                        notify "mail": events; it tells of all VIPs and services, or of none
#   dual-master/lb1.conf:44, dual-master/lb2.conf:44  vrrp_instance VI_1 / notify_master "/etc/keepalived/notify.sh master"  notify "VI_1-states": a shell runs it where QUORATE_STATE is MASTER; one runs after another, for 5m at most
#   dual-master/lb1.conf:45, dual-master/lb2.conf:45  vrrp_instance VI_1 / notify_backup "/etc/keepalived/notify.sh backup"  notify "VI_1-states": a shell runs it where QUORATE_STATE is BACKUP; one runs after another, for 5m at most
#   dual-master/lb1.conf:46, dual-master/lb2.conf:46  vrrp_instance VI_1 / notify_fault "/etc/keepalived/notify.sh fault"    notify "VI_1-states": a shell runs it where QUORATE_STATE is FAULT; one runs after another, for 5m at most
#   dual-master/lb1.conf:51                           vrrp_instance VI_2 / virtual_router_id 45                              the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   dual-master/lb1.conf:52                           vrrp_instance VI_2 / priority 98                                       it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 100 at most
#   dual-master/lb2.conf:27                           vrrp_instance VI_1 / priority 98                                       it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 100 at most
#   dual-master/lb2.conf:52                           vrrp_instance VI_2 / priority 100                                      it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 100 at most
#
# ignored: not needed (6)
#   dual-master/lb1.conf:10  global_defs / router_id lb1        a node has the name of its agent, lb1
#   dual-master/lb1.conf:24  vrrp_instance VI_1 / state MASTER  it is a hint for the start; `prefer` follows the priorities
#   dual-master/lb1.conf:49  vrrp_instance VI_2 / state BACKUP  it is a hint for the start; `prefer` follows the priorities
#   dual-master/lb2.conf:10  global_defs / router_id lb2        a node has the name of its agent, lb2
#   dual-master/lb2.conf:24  vrrp_instance VI_1 / state BACKUP  it is a hint for the start; `prefer` follows the priorities
#   dual-master/lb2.conf:49  vrrp_instance VI_2 / state MASTER  it is a hint for the start; `prefer` follows the priorities
#
# mapped (52)
#   dual-master/lb1.conf:2, dual-master/lb2.conf:2    global_defs                                              cluster, and notify blocks: see what stands in it
#   dual-master/lb1.conf:3, dual-master/lb2.conf:3    global_defs / notification_email                         notify "mail": to
#   dual-master/lb1.conf:4, dual-master/lb2.conf:4    global_defs / notification_email / root@localhost        it is part of notification_email
#   dual-master/lb1.conf:7, dual-master/lb2.conf:7    global_defs / notification_email_from ka@lb.example.org  notify "mail": from
#   dual-master/lb1.conf:9, dual-master/lb2.conf:9    global_defs / smtp_connect_timeout 30                    notify "mail": timeout
#   dual-master/lb1.conf:11, dual-master/lb2.conf:11  global_defs / vrrp_mcast_group4 224.0.70.1               virtual_router: group
#   dual-master/lb1.conf:18, dual-master/lb2.conf:18  vrrp_script chk_smtp                                     node_check
#   dual-master/lb1.conf:20, dual-master/lb2.conf:20  vrrp_script chk_smtp / interval 5                        check: interval
#   dual-master/lb1.conf:21, dual-master/lb2.conf:21  vrrp_script chk_smtp / weight -2                         node_check "chk_smtp": weight = -2
#   dual-master/lb1.conf:23, dual-master/lb2.conf:23  vrrp_instance VI_1                                       vip "VI_1"
#   dual-master/lb1.conf:25, dual-master/lb2.conf:25  vrrp_instance VI_1 / interface ens160                    vip: interface
#   dual-master/lb1.conf:26, dual-master/lb2.conf:26  vrrp_instance VI_1 / virtual_router_id 71                virtual_router: vrid
#   dual-master/lb1.conf:28, dual-master/lb2.conf:28  vrrp_instance VI_1 / advert_int 1                        virtual_router: interval
#   dual-master/lb1.conf:30, dual-master/lb2.conf:30  vrrp_instance VI_1 / authentication                      virtual_router: password
#   dual-master/lb1.conf:31, dual-master/lb2.conf:31  vrrp_instance VI_1 / authentication / auth_type PASS     virtual_router: password
#   dual-master/lb1.conf:32, dual-master/lb2.conf:32  vrrp_instance VI_1 / authentication / auth_pass …        virtual_router: password
#   dual-master/lb1.conf:34, dual-master/lb2.conf:34  vrrp_instance VI_1 / virtual_ipaddress                   vip: address
#   dual-master/lb1.conf:37, dual-master/lb2.conf:37  vrrp_instance VI_1 / track_interface                     node_check: vips, groups
#   dual-master/lb1.conf:38, dual-master/lb2.conf:38  vrrp_instance VI_1 / track_interface / ens160            node_check "link-ens160": required
#   dual-master/lb1.conf:40, dual-master/lb2.conf:40  vrrp_instance VI_1 / track_script                        node_check: vips, groups
#   dual-master/lb1.conf:42, dual-master/lb2.conf:42  vrrp_instance VI_1 / track_script / chk_smtp             node_check "chk_smtp": weight = -2
#   dual-master/lb1.conf:48, dual-master/lb2.conf:48  vrrp_instance VI_2                                       vip "VI_2"
#   dual-master/lb1.conf:50, dual-master/lb2.conf:50  vrrp_instance VI_2 / interface ens160                    vip: interface
#   dual-master/lb1.conf:51, dual-master/lb2.conf:51  vrrp_instance VI_2 / virtual_router_id 45                virtual_router: vrid
#   dual-master/lb1.conf:53, dual-master/lb2.conf:53  vrrp_instance VI_2 / advert_int 1                        virtual_router: interval
#   dual-master/lb1.conf:58, dual-master/lb2.conf:58  vrrp_instance VI_2 / virtual_ipaddress                   vip: address
#
