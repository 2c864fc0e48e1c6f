# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   auth-hmac.conf:3: vrrp_instance H / virtual_router_id 12: no virtual router was made of the instance: its adverts are signed, and the key is not here
#   auth-hmac.conf:4: vrrp_instance H / auth_hmac: the key that adverts are signed with is not here; copy its file beside this one and import again
#   auth-hmac.conf:6: vrrp_instance H / auth_hmac / key …: the key is in a file that cannot be read here; add the key to hmac_keys by hand, as KEYID:HEX

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# auth-hmac.conf:12
vip "H" {
  address   = "10.12.0.1/24"
  interface = "eth0"
}

# All findings:
# unsupported (8)
#   auth-hmac.conf:3   vrrp_instance H / virtual_router_id 12          no virtual router was made of the instance: its adverts are signed, and the key is not here
#   auth-hmac.conf:4   vrrp_instance H / auth_hmac                     the key that adverts are signed with is not here; copy its file beside this one and import again
#   auth-hmac.conf:5   vrrp_instance H / auth_hmac / key …             it is part of auth_hmac
#   auth-hmac.conf:6   vrrp_instance H / auth_hmac / key …             the key is in a file that cannot be read here; add the key to hmac_keys by hand, as KEYID:HEX
#   auth-hmac.conf:7   vrrp_instance H / auth_hmac / active_key 2      it is part of auth_hmac
#   auth-hmac.conf:8   vrrp_instance H / auth_hmac / anti_replay time  it is part of auth_hmac
#   auth-hmac.conf:9   vrrp_instance H / auth_hmac / time_window 5     it is part of auth_hmac
#   auth-hmac.conf:10  vrrp_instance H / auth_hmac / mode enforce      it is part of auth_hmac
#
# mapped (4)
#   auth-hmac.conf:1   vrrp_instance H                                     vip "H"
#   auth-hmac.conf:2   vrrp_instance H / interface eth0                    vip: interface
#   auth-hmac.conf:12  vrrp_instance H / virtual_ipaddress                 vip: address
#   auth-hmac.conf:12  vrrp_instance H / virtual_ipaddress / 10.12.0.1/24  vip "H": address
#
