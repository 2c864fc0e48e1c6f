# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   lang-includes/lb1.conf:2: includem conf.d/none.conf: no file matches here, and includem has keepalived complain; where the director has such files, copy them to the same place beside this one and import again
#
# unsupported:
#   lang-includes/lb1.conf:6: vrrp_instance inc / virtual_router_id 3: this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# VIPs that always have the same owner, and where they go.
# lang-includes/lb1.conf:4
group "inc" {
}

# A virtual IP address, which one node at a time owns.
# lang-includes/conf.d/addresses.list:1
vip "10.3.0.1" {
  address   = "10.3.0.1/24"
  interface = "eth0"
  group     = "inc"
}

# lang-includes/conf.d/addresses.list:2
vip "10.3.0.2" {
  address   = "10.3.0.2/24"
  interface = "eth1"
  group     = "inc"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# lang-includes/conf.d/20-vs.conf:1
service "tcp-10.3.0.1-80" {
  vip       = "10.3.0.1"
  port      = 80
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "nat"

  server "10.3.1.1:80" { weight = 1 }
  server "10.3.1.2:80" { weight = 1 }
}

# All findings:
# mistake in the source (1)
#   lang-includes/lb1.conf:2  includem conf.d/none.conf  no file matches here, and includem has keepalived complain; where the director has such files, copy them to the same place beside this one and import again
#
# unsupported (1)
#   lang-includes/lb1.conf:6  vrrp_instance inc / virtual_router_id 3  this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#
# ignored: not needed (2)
#   lang-includes/conf.d/10-global.conf:2  global_defs / router_id inc    a node has the name of its agent, lb1
#   lang-includes/lb1.conf:3               include conf.d/nothing/*.conf  no file matches here, which keepalived passes over in silence; where the director has such files, copy them to the same place beside this one and import again
#
# mapped (10)
#   lang-includes/conf.d/10-global.conf:1  global_defs                                                   cluster, and notify blocks: see what stands in it
#   lang-includes/conf.d/20-vs.conf:1      virtual_server 10.3.0.1 80                                    service "tcp-10.3.0.1-80"
#   lang-includes/conf.d/20-vs.conf:2      virtual_server 10.3.0.1 80 / protocol TCP                     protocol
#   lang-includes/conf.d/servers/a.srv:1   virtual_server 10.3.0.1 80 / real_server 10.3.1.1 80          server "10.3.1.1:80"
#   lang-includes/conf.d/servers/b.srv:1   virtual_server 10.3.0.1 80 / real_server 10.3.1.2 80          server "10.3.1.2:80"
#   lang-includes/lb1.conf:4               vrrp_instance inc                                             group "inc"
#   lang-includes/lb1.conf:5               vrrp_instance inc / interface eth0                            vip: interface
#   lang-includes/lb1.conf:7               vrrp_instance inc / virtual_ipaddress                         vip: address
#   lang-includes/conf.d/addresses.list:1  vrrp_instance inc / virtual_ipaddress / 10.3.0.1/24           vip "10.3.0.1": address
#   lang-includes/conf.d/addresses.list:2  vrrp_instance inc / virtual_ipaddress / 10.3.0.2/24 dev eth1  vip "10.3.0.2": address
#
