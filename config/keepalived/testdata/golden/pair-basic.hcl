# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   pair-basic/lb1.conf:9, pair-basic/lb2.conf:9: vrrp_instance WEB / virtual_router_id 51: this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#   pair-basic/lb1.conf:11, pair-basic/lb2.conf:11: vrrp_instance WEB / advert_int 1: this version does not speak VRRP, and needs none inside the cluster; see `profile` of the block cluster: a lost owner is replaced within half a second

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# pair-basic/lb1.conf:17, pair-basic/lb2.conf:17
vip "WEB" {
  address   = "192.0.2.10/24"
  interface = "eth0"
  prefer    = ["lb1", "lb2"]
  preempt   = true
}

# All findings:
# unsupported (4)
#   pair-basic/lb1.conf:9, pair-basic/lb2.conf:9    vrrp_instance WEB / virtual_router_id 51  this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#   pair-basic/lb1.conf:11, pair-basic/lb2.conf:11  vrrp_instance WEB / advert_int 1          this version does not speak VRRP, and needs none inside the cluster; see `profile` of the block cluster: a lost owner is replaced within half a second
#
# ignored: not needed (10)
#   pair-basic/lb1.conf:3                           global_defs / router_id fe-a                         a node has the name of its agent, lb1
#   pair-basic/lb1.conf:7                           vrrp_instance WEB / state MASTER                     it is a hint for the start; `prefer` follows the priorities
#   pair-basic/lb1.conf:12, pair-basic/lb2.conf:12  vrrp_instance WEB / authentication                   the nodes of a cluster prove who they are by their certificates
#   pair-basic/lb1.conf:13, pair-basic/lb2.conf:13  vrrp_instance WEB / authentication / auth_type PASS  it is part of authentication
#   pair-basic/lb1.conf:14, pair-basic/lb2.conf:14  vrrp_instance WEB / authentication / auth_pass …     it is part of authentication
#   pair-basic/lb2.conf:3                           global_defs / router_id fe-b                         a node has the name of its agent, lb2
#   pair-basic/lb2.conf:7                           vrrp_instance WEB / state BACKUP                     it is a hint for the start; `prefer` follows the priorities
#
# mapped (12)
#   pair-basic/lb1.conf:2, pair-basic/lb2.conf:2    global_defs                                            cluster, and notify blocks: see what stands in it
#   pair-basic/lb1.conf:6, pair-basic/lb2.conf:6    vrrp_instance WEB                                      vip "WEB"
#   pair-basic/lb1.conf:8, pair-basic/lb2.conf:8    vrrp_instance WEB / interface eth0                     vip: interface
#   pair-basic/lb1.conf:10                          vrrp_instance WEB / priority 150                       vip "WEB": prefer
#   pair-basic/lb1.conf:16, pair-basic/lb2.conf:16  vrrp_instance WEB / virtual_ipaddress                  vip: address
#   pair-basic/lb1.conf:17, pair-basic/lb2.conf:17  vrrp_instance WEB / virtual_ipaddress / 192.0.2.10/24  vip "WEB": address
#   pair-basic/lb2.conf:10                          vrrp_instance WEB / priority 100                       vip "WEB": prefer
#
