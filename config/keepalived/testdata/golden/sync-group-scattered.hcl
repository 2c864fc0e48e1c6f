# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   sync-group-scattered/lb1.conf:7: vrrp_instance Y: its priorities put the directors into another order than those of the other members of the group G, or nopreempt differs: in keepalived such a group goes to and fro; make the directors agree, then import again
#   sync-group-scattered/lb1.conf:11, sync-group-scattered/lb2.conf:11: vrrp_instance Y / track_script / s weight 10: keepalived ignores weights of the members of a sync group; track it in the group, or take the weight out
#
# changed meaning:
#   sync-group-scattered/lb1.conf:4, sync-group-scattered/lb1.conf:9: virtual_router_id: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   sync-group-scattered/lb1.conf:5, sync-group-scattered/lb2.conf:5: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   sync-group-scattered/lb1.conf:10, sync-group-scattered/lb2.conf:10: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 110 at most

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# VIPs that always have the same owner, and where they go.
# sync-group-scattered/lb1.conf:1, sync-group-scattered/lb2.conf:1
group "G" {
  prefer  = ["lb1", "lb2"]
  preempt = true
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# sync-group-scattered/lb1.conf:4, sync-group-scattered/lb2.conf:4
virtual_router "X" {
  vrid    = 1
  version = 2
}

# sync-group-scattered/lb1.conf:9, sync-group-scattered/lb2.conf:9
virtual_router "Y" {
  vrid    = 1
  version = 2
}

# A virtual IP address, which one node at a time owns.
# sync-group-scattered/lb1.conf:6, sync-group-scattered/lb2.conf:6
vip "X" {
  address        = "192.0.2.1/24"
  interface      = "eth0"
  group          = "G"
  virtual_router = "X"
}

# sync-group-scattered/lb1.conf:12, sync-group-scattered/lb2.conf:12
vip "Y" {
  address        = "198.51.100.1/24"
  interface      = "eth1"
  group          = "G"
  virtual_router = "Y"
}

# All findings:
# mistake in the source (3)
#   sync-group-scattered/lb1.conf:7                                     vrrp_instance Y                               its priorities put the directors into another order than those of the other members of the group G, or nopreempt differs: in keepalived such a group goes to and fro; make the directors agree, then import again
#   sync-group-scattered/lb1.conf:11, sync-group-scattered/lb2.conf:11  vrrp_instance Y / track_script / s weight 10  keepalived ignores weights of the members of a sync group; track it in the group, or take the weight out
#
# changed meaning (6)
#   sync-group-scattered/lb1.conf:4   vrrp_instance X / virtual_router_id 1  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   sync-group-scattered/lb1.conf:5   vrrp_instance X / priority 150         it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   sync-group-scattered/lb1.conf:9   vrrp_instance Y / virtual_router_id 1  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   sync-group-scattered/lb1.conf:10  vrrp_instance Y / priority 50          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 110 at most
#   sync-group-scattered/lb2.conf:5   vrrp_instance X / priority 99          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   sync-group-scattered/lb2.conf:10  vrrp_instance Y / priority 100         it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 110 at most
#
# ignored: not needed (8)
#   sync-group-scattered/lb1.conf:2, sync-group-scattered/lb2.conf:2    vrrp_instance X / state BACKUP    it is a hint for the start; `prefer` follows the priorities
#   sync-group-scattered/lb1.conf:7, sync-group-scattered/lb2.conf:7    vrrp_instance Y / state BACKUP    it is a hint for the start; `prefer` follows the priorities
#   sync-group-scattered/lb1.conf:13, sync-group-scattered/lb2.conf:13  vrrp_script s                     nothing tracks it, and keepalived does not use it either
#   sync-group-scattered/lb1.conf:13, sync-group-scattered/lb2.conf:13  vrrp_script s / script /bin/true  it is part of vrrp_script
#
# mapped (30)
#   sync-group-scattered/lb1.conf:1, sync-group-scattered/lb2.conf:1    vrrp_sync_group G                                      group "G"
#   sync-group-scattered/lb1.conf:1, sync-group-scattered/lb2.conf:1    vrrp_sync_group G / group                              vip: group
#   sync-group-scattered/lb1.conf:1, sync-group-scattered/lb2.conf:1    vrrp_sync_group G / group / X                          vip: group = "G"
#   sync-group-scattered/lb1.conf:1, sync-group-scattered/lb2.conf:1    vrrp_sync_group G / group / Y                          vip: group = "G"
#   sync-group-scattered/lb1.conf:2, sync-group-scattered/lb2.conf:2    vrrp_instance X                                        group "G"
#   sync-group-scattered/lb1.conf:3, sync-group-scattered/lb2.conf:3    vrrp_instance X / interface eth0                       vip: interface
#   sync-group-scattered/lb1.conf:4, sync-group-scattered/lb2.conf:4    vrrp_instance X / virtual_router_id 1                  virtual_router: vrid
#   sync-group-scattered/lb1.conf:6, sync-group-scattered/lb2.conf:6    vrrp_instance X / virtual_ipaddress                    vip: address
#   sync-group-scattered/lb1.conf:6, sync-group-scattered/lb2.conf:6    vrrp_instance X / virtual_ipaddress / 192.0.2.1/24     vip "X": address
#   sync-group-scattered/lb1.conf:7, sync-group-scattered/lb2.conf:7    vrrp_instance Y                                        group "G"
#   sync-group-scattered/lb1.conf:8, sync-group-scattered/lb2.conf:8    vrrp_instance Y / interface eth1                       vip: interface
#   sync-group-scattered/lb1.conf:9, sync-group-scattered/lb2.conf:9    vrrp_instance Y / virtual_router_id 1                  virtual_router: vrid
#   sync-group-scattered/lb1.conf:11, sync-group-scattered/lb2.conf:11  vrrp_instance Y / track_script                         node_check: vips, groups
#   sync-group-scattered/lb1.conf:12, sync-group-scattered/lb2.conf:12  vrrp_instance Y / virtual_ipaddress                    vip: address
#   sync-group-scattered/lb1.conf:12, sync-group-scattered/lb2.conf:12  vrrp_instance Y / virtual_ipaddress / 198.51.100.1/24  vip "Y": address
#
