# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   galera-per-node/lb1.conf:1: vrrp_script mine: node_check is carried out on [lb1] alone, as the other directors do not have it, or not like this; look whether the difference is meant
#   galera-per-node/lb1.conf:6: vrrp_instance G / virtual_router_id 41: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   galera-per-node/lb1.conf:7, galera-per-node/lb2.conf:7, galera-per-node/lb3.conf:7: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 12 at most
#   galera-per-node/lb1.conf:10, galera-per-node/lb2.conf:10: vrrp_instance G / notify /opt/g.sh: notify "G": the last arguments are as from keepalived, but the priority is always 100; one runs after another, for 5m at most
#   galera-per-node/lb2.conf:1, galera-per-node/lb3.conf:1: vrrp_script mine: node_check is carried out on [lb2 lb3] alone, as the other directors do not have it, or not like this; look whether the difference is meant

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# galera-per-node/lb1.conf:6, galera-per-node/lb2.conf:6, galera-per-node/lb3.conf:6
virtual_router "G" {
  vrid    = 41
  version = 2
}

# A virtual IP address, which one node at a time owns.
# galera-per-node/lb1.conf:8, galera-per-node/lb2.conf:8, galera-per-node/lb3.conf:8
vip "G" {
  address        = "10.41.0.1/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2", "lb3"]
  preempt        = true
  virtual_router = "G"
}

# What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask 127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.
# galera-per-node/lb1.conf:1
node_check "mine" {
  required = true
  vips     = ["G"]
  nodes    = ["lb1"]

  check "script" {
    interval = "4s"
    timeout  = "4s"
    rise     = 1
    fall     = 2
    command  = ["/usr/local/bin/galera-ok", "--node", "one"]
    user     = "mysql"
  }
}

# galera-per-node/lb2.conf:1, galera-per-node/lb3.conf:1
node_check "mine-2" {
  required = true
  vips     = ["G"]
  nodes    = ["lb2", "lb3"]

  check "script" {
    interval = "4s"
    timeout  = "4s"
    rise     = 1
    fall     = 2
    command  = ["/usr/local/bin/galera-ok", "--node", "two"]
    user     = "mysql"
  }
}

# Somebody who is told what happens, by exactly one of the blocks in it. A `webhook` and an `email` are sent by the leader, each event once and in order; a `script` is run, and a `fifo` is written, by each node about itself, as keepalived does. notify.md says what is promised.
# galera-per-node/lb1.conf:10, galera-per-node/lb2.conf:10
notify "G" {
  vips  = ["G"]
  nodes = ["lb1", "lb2"]

  script {
    command = ["/opt/g.sh"]
    timeout = "5m"
  }
}

# All findings:
# changed meaning (9)
#   galera-per-node/lb1.conf:1                                vrrp_script mine                        node_check is carried out on [lb1] alone, as the other directors do not have it, or not like this; look whether the difference is meant
#   galera-per-node/lb1.conf:6                                vrrp_instance G / virtual_router_id 41  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   galera-per-node/lb1.conf:7                                vrrp_instance G / priority 12           it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 12 at most
#   galera-per-node/lb1.conf:10, galera-per-node/lb2.conf:10  vrrp_instance G / notify /opt/g.sh      notify "G": the last arguments are as from keepalived, but the priority is always 100; one runs after another, for 5m at most
#   galera-per-node/lb2.conf:1, galera-per-node/lb3.conf:1    vrrp_script mine                        node_check is carried out on [lb2 lb3] alone, as the other directors do not have it, or not like this; look whether the difference is meant
#   galera-per-node/lb2.conf:7                                vrrp_instance G / priority 11           it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 12 at most
#   galera-per-node/lb3.conf:7                                vrrp_instance G / priority 10           it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 12 at most
#
# ignored: not needed (3)
#   galera-per-node/lb1.conf:2, galera-per-node/lb2.conf:2, galera-per-node/lb3.conf:2  vrrp_script mine / user mysql  no program is run
#
# mapped (30)
#   galera-per-node/lb1.conf:1                                                          vrrp_script mine / script "/usr/local/bin/galera-ok --node one"  check "script": command
#   galera-per-node/lb1.conf:3, galera-per-node/lb2.conf:3, galera-per-node/lb3.conf:3  vrrp_script mine / interval 4                                    check: interval
#   galera-per-node/lb1.conf:4, galera-per-node/lb2.conf:4, galera-per-node/lb3.conf:4  vrrp_script mine / fall 2                                        check: fall
#   galera-per-node/lb1.conf:5, galera-per-node/lb2.conf:5, galera-per-node/lb3.conf:5  vrrp_instance G                                                  vip "G"
#   galera-per-node/lb1.conf:5, galera-per-node/lb2.conf:5, galera-per-node/lb3.conf:5  vrrp_instance G / interface eth0                                 vip: interface
#   galera-per-node/lb1.conf:6, galera-per-node/lb2.conf:6, galera-per-node/lb3.conf:6  vrrp_instance G / virtual_router_id 41                           virtual_router: vrid
#   galera-per-node/lb1.conf:8, galera-per-node/lb2.conf:8, galera-per-node/lb3.conf:8  vrrp_instance G / virtual_ipaddress                              vip: address
#   galera-per-node/lb1.conf:8, galera-per-node/lb2.conf:8, galera-per-node/lb3.conf:8  vrrp_instance G / virtual_ipaddress / 10.41.0.1/24               vip "G": address
#   galera-per-node/lb1.conf:9, galera-per-node/lb2.conf:9, galera-per-node/lb3.conf:9  vrrp_instance G / track_script                                   node_check: vips, groups
#   galera-per-node/lb1.conf:9, galera-per-node/lb2.conf:9, galera-per-node/lb3.conf:9  vrrp_instance G / track_script / mine                            node_check "mine": required
#   galera-per-node/lb2.conf:1, galera-per-node/lb3.conf:1                              vrrp_script mine / script "/usr/local/bin/galera-ok --node two"  check "script": command
#
