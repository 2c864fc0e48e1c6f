# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   duplicate-vrid.conf:5: vrrp_instance B / virtual_router_id 40: vrrp_instance A has the same number on the same interface (duplicate-vrid.conf:1); give each its own number
#
# unsupported:
#   duplicate-vrid.conf:5: vrrp_instance B / virtual_router_id 40: virtual_router.B was left out, as it would be refused: vrid = "40": virtual router A has it too, on the same network and for the same family; give one of them another VRID; the addresses of one VRID are VIPs with the same virtual_router and group
#
# changed meaning:
#   duplicate-vrid.conf:2: vrrp_instance A / virtual_router_id 40: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# duplicate-vrid.conf:2
virtual_router "A" {
  vrid    = 40
  version = 2
}

# A virtual IP address, which one node at a time owns.
# duplicate-vrid.conf:3
vip "A" {
  address        = "10.40.0.1/24"
  interface      = "eth0"
  virtual_router = "A"
}

# duplicate-vrid.conf:6
vip "B" {
  address   = "10.40.0.2/24"
  interface = "eth0"
}

# All findings:
# mistake in the source (1)
#   duplicate-vrid.conf:5  vrrp_instance B / virtual_router_id 40  vrrp_instance A has the same number on the same interface (duplicate-vrid.conf:1); give each its own number
#
# unsupported (1)
#   duplicate-vrid.conf:5  vrrp_instance B / virtual_router_id 40  virtual_router.B was left out, as it would be refused: vrid = "40": virtual router A has it too, on the same network and for the same family; give one of them another VRID; the addresses of one VRID are VIPs with the same virtual_router and group
#
# changed meaning (1)
#   duplicate-vrid.conf:2  vrrp_instance A / virtual_router_id 40  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#
# mapped (9)
#   duplicate-vrid.conf:1  vrrp_instance A                                     vip "A"
#   duplicate-vrid.conf:1  vrrp_instance A / interface eth0                    vip: interface
#   duplicate-vrid.conf:2  vrrp_instance A / virtual_router_id 40              virtual_router: vrid
#   duplicate-vrid.conf:3  vrrp_instance A / virtual_ipaddress                 vip: address
#   duplicate-vrid.conf:3  vrrp_instance A / virtual_ipaddress / 10.40.0.1/24  vip "A": address
#   duplicate-vrid.conf:4  vrrp_instance B                                     vip "B"
#   duplicate-vrid.conf:4  vrrp_instance B / interface eth0                    vip: interface
#   duplicate-vrid.conf:6  vrrp_instance B / virtual_ipaddress                 vip: address
#   duplicate-vrid.conf:6  vrrp_instance B / virtual_ipaddress / 10.40.0.2/24  vip "B": address
#
