# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   useless-weight/lb1.conf:2, useless-weight/lb2.conf:2: vrrp_script db / weight -5: the distance of the priorities is more than the weight of -5, so that keepalived never moves an address for it; here it does; take it out where an address is to stay
#
# unsupported:
#   useless-weight/lb1.conf:4, useless-weight/lb2.conf:4: vrrp_instance db / virtual_router_id 7: this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#
# changed meaning:
#   useless-weight/lb1.conf:1, useless-weight/lb2.conf:1: vrrp_script db / script "/opt/check db": it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# useless-weight/lb1.conf:6, useless-weight/lb2.conf:6
vip "db" {
  address   = "10.1.1.1/16"
  interface = "bond0"
  prefer    = ["lb1", "lb2"]
  preempt   = true
}

# What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask 127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.
# useless-weight/lb1.conf:1, useless-weight/lb2.conf:1
node_check "db" {
  weight = -5
  vips   = ["db"]

  check "script" {
    interval = "1s"
    timeout  = "1s"
    rise     = 1
    fall     = 1
    command  = ["/opt/check", "db"]
  }
}

# All findings:
# mistake in the source (2)
#   useless-weight/lb1.conf:2, useless-weight/lb2.conf:2  vrrp_script db / weight -5  the distance of the priorities is more than the weight of -5, so that keepalived never moves an address for it; here it does; take it out where an address is to stay
#
# unsupported (2)
#   useless-weight/lb1.conf:4, useless-weight/lb2.conf:4  vrrp_instance db / virtual_router_id 7  this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#
# changed meaning (2)
#   useless-weight/lb1.conf:1, useless-weight/lb2.conf:1  vrrp_script db / script "/opt/check db"  it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#
# mapped (16)
#   useless-weight/lb1.conf:1, useless-weight/lb2.conf:1  vrrp_script db                                      node_check
#   useless-weight/lb1.conf:3, useless-weight/lb2.conf:3  vrrp_instance db                                    vip "db"
#   useless-weight/lb1.conf:3, useless-weight/lb2.conf:3  vrrp_instance db / interface bond0                  vip: interface
#   useless-weight/lb1.conf:5                             vrrp_instance db / priority 200                     vip "db": prefer
#   useless-weight/lb1.conf:6, useless-weight/lb2.conf:6  vrrp_instance db / virtual_ipaddress                vip: address
#   useless-weight/lb1.conf:6, useless-weight/lb2.conf:6  vrrp_instance db / virtual_ipaddress / 10.1.1.1/16  vip "db": address
#   useless-weight/lb1.conf:7, useless-weight/lb2.conf:7  vrrp_instance db / track_script                     node_check: vips, groups
#   useless-weight/lb1.conf:7, useless-weight/lb2.conf:7  vrrp_instance db / track_script / db                node_check "db": weight = -5
#   useless-weight/lb2.conf:5                             vrrp_instance db / priority 100                     vip "db": prefer
#
