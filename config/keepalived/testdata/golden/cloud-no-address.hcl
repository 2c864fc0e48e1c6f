# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   cloud-no-address.conf:1: vrrp_instance cloud: it has no address that could be owned; add an address, or leave it out
#   cloud-no-address.conf:7: vrrp_instance cloud / no_virtual_ipaddress: an instance without an address is nothing to own here; what its scripts move is a VIP of ours, or stays with them

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# All findings:
# unsupported (8)
#   cloud-no-address.conf:1  vrrp_instance cloud                                                     it has no address that could be owned; add an address, or leave it out
#   cloud-no-address.conf:3  vrrp_instance cloud / interface eth0                                    it is part of vrrp_instance
#   cloud-no-address.conf:4  vrrp_instance cloud / virtual_router_id 1                               it is part of vrrp_instance
#   cloud-no-address.conf:5  vrrp_instance cloud / unicast_src_ip 172.31.0.4                         it is part of vrrp_instance
#   cloud-no-address.conf:6  vrrp_instance cloud / unicast_peer                                      it is part of vrrp_instance
#   cloud-no-address.conf:6  vrrp_instance cloud / unicast_peer / 172.31.0.5                         it is part of vrrp_instance
#   cloud-no-address.conf:7  vrrp_instance cloud / no_virtual_ipaddress                              an instance without an address is nothing to own here; what its scripts move is a VIP of ours, or stays with them
#   cloud-no-address.conf:8  vrrp_instance cloud / notify_master "/opt/cloud/attach-eip eipalloc-1"  it is part of vrrp_instance
#
# ignored: not needed (1)
#   cloud-no-address.conf:2  vrrp_instance cloud / state BACKUP  it is a hint for the start; `prefer` follows the priorities
#
