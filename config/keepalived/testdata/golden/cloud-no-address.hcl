# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   cloud-no-address.conf:1: vrrp_instance cloud: it has no address that could be owned; add an address, or leave it out
#   cloud-no-address.conf:4: vrrp_instance cloud / virtual_router_id 1: this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#   cloud-no-address.conf:7: vrrp_instance cloud / no_virtual_ipaddress: an instance without an address is nothing to own here; what its scripts move is a VIP of ours, or stays with them
#
# changed meaning:
#   cloud-no-address.conf:5: vrrp_instance cloud / unicast_src_ip 172.31.0.4: what a node is reached at is said in its agent's own file; set bind = "172.31.0.4" there, if it is the address for the cluster's traffic

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# All findings:
# unsupported (5)
#   cloud-no-address.conf:1  vrrp_instance cloud                                                     it has no address that could be owned; add an address, or leave it out
#   cloud-no-address.conf:3  vrrp_instance cloud / interface eth0                                    it is part of vrrp_instance
#   cloud-no-address.conf:4  vrrp_instance cloud / virtual_router_id 1                               this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#   cloud-no-address.conf:7  vrrp_instance cloud / no_virtual_ipaddress                              an instance without an address is nothing to own here; what its scripts move is a VIP of ours, or stays with them
#   cloud-no-address.conf:8  vrrp_instance cloud / notify_master "/opt/cloud/attach-eip eipalloc-1"  it is part of vrrp_instance
#
# changed meaning (1)
#   cloud-no-address.conf:5  vrrp_instance cloud / unicast_src_ip 172.31.0.4  what a node is reached at is said in its agent's own file; set bind = "172.31.0.4" there, if it is the address for the cluster's traffic
#
# ignored: not needed (3)
#   cloud-no-address.conf:2  vrrp_instance cloud / state BACKUP               it is a hint for the start; `prefer` follows the priorities
#   cloud-no-address.conf:6  vrrp_instance cloud / unicast_peer               the nodes find each other when they join, and speak by unicast
#   cloud-no-address.conf:6  vrrp_instance cloud / unicast_peer / 172.31.0.5  it is part of unicast_peer
#
