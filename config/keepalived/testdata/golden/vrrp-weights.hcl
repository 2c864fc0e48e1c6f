# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   vrrp-weights/lb1.conf:2, vrrp-weights/lb2.conf:2: vrrp_script good: reverse: a shell turns the exit status round, so that the check fails while the script passes; a run that takes too long fails as well
#   vrrp-weights/lb1.conf:3, vrrp-weights/lb2.conf:3: vrrp_script good / script "/usr/bin/good": it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   vrrp-weights/lb1.conf:4, vrrp-weights/lb2.conf:4: vrrp_script good / weight 60: node_check "good": weight = -60: what a node had more while the check passes, it has less while it fails, which comes to the same
#   vrrp-weights/lb1.conf:6, vrrp-weights/lb2.conf:6: track_file step: a script looks into the file every second, as quorate_script or nobody: a number below 0 is a failure; how far below, and what is above, changes nothing: scores of nodes have steps of node_checks; better in the long run: check "file" { file = "/run/step.quorate" }, which is noticed at once, and have up or drain written into that file
#   vrrp-weights/lb1.conf:12, vrrp-weights/lb1.conf:21, vrrp-weights/lb1.conf:30: virtual_router_id: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-weights/lb1.conf:13, vrrp-weights/lb1.conf:22: priority: beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254; this director comes to as much, with its weights, and of two equal ones the higher address has the VIPs; see that it comes to 253 or less before the cluster is to take over
#   vrrp-weights/lb1.conf:13, vrrp-weights/lb1.conf:22, vrrp-weights/lb2.conf:13, vrrp-weights/lb2.conf:22: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254
#   vrrp-weights/lb1.conf:31, vrrp-weights/lb2.conf:31: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   vrrp-weights/lb1.conf:34, vrrp-weights/lb2.conf:34: vrrp_instance R / track_script / good weight -30 reverse: node_check "good-30": weight = -30: what a node had more while the check passes, it has less while it fails, which comes to the same

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# vrrp-weights/lb1.conf:21, vrrp-weights/lb2.conf:21
virtual_router "F" {
  vrid    = 97
  version = 2
}

# vrrp-weights/lb1.conf:30, vrrp-weights/lb2.conf:30
virtual_router "R" {
  vrid    = 98
  version = 2
}

# vrrp-weights/lb1.conf:12, vrrp-weights/lb2.conf:12
virtual_router "W" {
  vrid    = 96
  version = 2
}

# A virtual IP address, which one node at a time owns.
# vrrp-weights/lb1.conf:23, vrrp-weights/lb2.conf:23
vip "F" {
  address        = "10.97.0.1/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "F"
}

# vrrp-weights/lb1.conf:32, vrrp-weights/lb2.conf:32
vip "R" {
  address        = "10.98.0.1/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "R"
}

# vrrp-weights/lb1.conf:14, vrrp-weights/lb2.conf:14
vip "W" {
  address        = "10.96.0.1/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "W"
}

# What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask 127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.
# vrrp-weights/lb1.conf:2, vrrp-weights/lb2.conf:2
node_check "good" {
  weight = -60
  vips   = ["W"]

  check "script" {
    interval = "1s"
    timeout  = "1s"
    rise     = 1
    fall     = 1
    command  = ["/usr/bin/good"]
  }
}

# vrrp-weights/lb1.conf:2, vrrp-weights/lb2.conf:2
node_check "good-30" {
  weight = -30
  vips   = ["R"]

  check "script" {
    interval = "1s"
    timeout  = "1s"
    rise     = 1
    fall     = 1
    command  = ["/bin/sh", "-c", "! \"$0\" \"$@\"", "/usr/bin/good"]
  }
}

# vrrp-weights/lb1.conf:6, vrrp-weights/lb2.conf:6
node_check "step" {
  weight = -1
  vips   = ["F"]

  check "script" {
    interval = "1s"
    timeout  = "1s"
    rise     = 1
    fall     = 1
    command  = ["/bin/sh", "-c", "v=; { read -r v <\"$0\"; } 2>/dev/null; case \"$v\" in \"\"|*[!0-9-]*) v=0;; esac; [ \"$v\" -ge 0 ]", "/run/step"]
  }
}

# All findings:
# changed meaning (21)
#   vrrp-weights/lb1.conf:2, vrrp-weights/lb2.conf:2    vrrp_script good                                          reverse: a shell turns the exit status round, so that the check fails while the script passes; a run that takes too long fails as well
#   vrrp-weights/lb1.conf:3, vrrp-weights/lb2.conf:3    vrrp_script good / script "/usr/bin/good"                 it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   vrrp-weights/lb1.conf:4, vrrp-weights/lb2.conf:4    vrrp_script good / weight 60                              node_check "good": weight = -60: what a node had more while the check passes, it has less while it fails, which comes to the same
#   vrrp-weights/lb1.conf:6, vrrp-weights/lb2.conf:6    track_file step                                           a script looks into the file every second, as quorate_script or nobody: a number below 0 is a failure; how far below, and what is above, changes nothing: scores of nodes have steps of node_checks; better in the long run: check "file" { file = "/run/step.quorate" }, which is noticed at once, and have up or drain written into that file
#   vrrp-weights/lb1.conf:12                            vrrp_instance W / virtual_router_id 96                    the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-weights/lb1.conf:13                            vrrp_instance W / priority 200                            beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254; this director comes to as much, with its weights, and of two equal ones the higher address has the VIPs; see that it comes to 253 or less before the cluster is to take over
#   vrrp-weights/lb1.conf:13                            vrrp_instance W / priority 200                            it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254
#   vrrp-weights/lb1.conf:21                            vrrp_instance F / virtual_router_id 97                    the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-weights/lb1.conf:22                            vrrp_instance F / priority 120                            beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254; this director comes to as much, with its weights, and of two equal ones the higher address has the VIPs; see that it comes to 253 or less before the cluster is to take over
#   vrrp-weights/lb1.conf:22                            vrrp_instance F / priority 120                            it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254
#   vrrp-weights/lb1.conf:30                            vrrp_instance R / virtual_router_id 98                    the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vrrp-weights/lb1.conf:31                            vrrp_instance R / priority 120                            it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   vrrp-weights/lb1.conf:34, vrrp-weights/lb2.conf:34  vrrp_instance R / track_script / good weight -30 reverse  node_check "good-30": weight = -30: what a node had more while the check passes, it has less while it fails, which comes to the same
#   vrrp-weights/lb2.conf:13                            vrrp_instance W / priority 150                            it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254
#   vrrp-weights/lb2.conf:22                            vrrp_instance F / priority 100                            it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254
#   vrrp-weights/lb2.conf:31                            vrrp_instance R / priority 100                            it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#
# mapped (44)
#   vrrp-weights/lb1.conf:7, vrrp-weights/lb2.conf:7    track_file step / file /run/step                    check "script": command
#   vrrp-weights/lb1.conf:8, vrrp-weights/lb2.conf:8    track_file step / weight 1                          node_check "step": weight = -1
#   vrrp-weights/lb1.conf:10, vrrp-weights/lb2.conf:10  vrrp_instance W                                     vip "W"
#   vrrp-weights/lb1.conf:11, vrrp-weights/lb2.conf:11  vrrp_instance W / interface eth0                    vip: interface
#   vrrp-weights/lb1.conf:12, vrrp-weights/lb2.conf:12  vrrp_instance W / virtual_router_id 96              virtual_router: vrid
#   vrrp-weights/lb1.conf:14, vrrp-weights/lb2.conf:14  vrrp_instance W / virtual_ipaddress                 vip: address
#   vrrp-weights/lb1.conf:14, vrrp-weights/lb2.conf:14  vrrp_instance W / virtual_ipaddress / 10.96.0.1/24  vip "W": address
#   vrrp-weights/lb1.conf:15, vrrp-weights/lb2.conf:15  vrrp_instance W / track_script                      node_check: vips, groups
#   vrrp-weights/lb1.conf:16, vrrp-weights/lb2.conf:16  vrrp_instance W / track_script / good               node_check "good": weight = -60
#   vrrp-weights/lb1.conf:19, vrrp-weights/lb2.conf:19  vrrp_instance F                                     vip "F"
#   vrrp-weights/lb1.conf:20, vrrp-weights/lb2.conf:20  vrrp_instance F / interface eth0                    vip: interface
#   vrrp-weights/lb1.conf:21, vrrp-weights/lb2.conf:21  vrrp_instance F / virtual_router_id 97              virtual_router: vrid
#   vrrp-weights/lb1.conf:23, vrrp-weights/lb2.conf:23  vrrp_instance F / virtual_ipaddress                 vip: address
#   vrrp-weights/lb1.conf:23, vrrp-weights/lb2.conf:23  vrrp_instance F / virtual_ipaddress / 10.97.0.1/24  vip "F": address
#   vrrp-weights/lb1.conf:24, vrrp-weights/lb2.conf:24  vrrp_instance F / track_file                        node_check: vips, groups
#   vrrp-weights/lb1.conf:25, vrrp-weights/lb2.conf:25  vrrp_instance F / track_file / step                 node_check "step": weight = -1
#   vrrp-weights/lb1.conf:28, vrrp-weights/lb2.conf:28  vrrp_instance R                                     vip "R"
#   vrrp-weights/lb1.conf:29, vrrp-weights/lb2.conf:29  vrrp_instance R / interface eth0                    vip: interface
#   vrrp-weights/lb1.conf:30, vrrp-weights/lb2.conf:30  vrrp_instance R / virtual_router_id 98              virtual_router: vrid
#   vrrp-weights/lb1.conf:32, vrrp-weights/lb2.conf:32  vrrp_instance R / virtual_ipaddress                 vip: address
#   vrrp-weights/lb1.conf:32, vrrp-weights/lb2.conf:32  vrrp_instance R / virtual_ipaddress / 10.98.0.1/24  vip "R": address
#   vrrp-weights/lb1.conf:33, vrrp-weights/lb2.conf:33  vrrp_instance R / track_script                      node_check: vips, groups
#
