# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   lang-includes/lb1.conf:2: includem conf.d/none.conf: no file matches here, and includem has keepalived complain; where the director has such files, copy them to the same place beside this one and import again
#
# unsupported:
#   lang-includes/conf.d/addresses.list:2: vrrp_instance inc / virtual_ipaddress / 10.3.0.2/24 dev eth1: vip "10.3.0.2" has no virtual router: the address is on another interface than the adverts that it is in, and adverts of the cluster have the addresses of one interface; put it into virtual_ipaddress_excluded on all directors first; keepalived up to 2.3.2 drops adverts with another list of addresses
#
# changed meaning:
#   lang-includes/lb1.conf:6: vrrp_instance inc / virtual_router_id 3: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand

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

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# lang-includes/lb1.conf:6
virtual_router "inc" {
  vrid    = 3
  version = 2
}

# A virtual IP address, which one node at a time owns.
# lang-includes/conf.d/addresses.list:1
vip "10.3.0.1" {
  address        = "10.3.0.1/24"
  interface      = "eth0"
  group          = "inc"
  virtual_router = "inc"
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
#   lang-includes/conf.d/addresses.list:2  vrrp_instance inc / virtual_ipaddress / 10.3.0.2/24 dev eth1  vip "10.3.0.2" has no virtual router: the address is on another interface than the adverts that it is in, and adverts of the cluster have the addresses of one interface; put it into virtual_ipaddress_excluded on all directors first; keepalived up to 2.3.2 drops adverts with another list of addresses
#
# changed meaning (1)
#   lang-includes/lb1.conf:6  vrrp_instance inc / virtual_router_id 3  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#
# ignored: not needed (2)
#   lang-includes/conf.d/10-global.conf:2  global_defs / router_id inc    a node has the name of its agent, lb1
#   lang-includes/lb1.conf:3               include conf.d/nothing/*.conf  no file matches here, which keepalived passes over in silence; where the director has such files, copy them to the same place beside this one and import again
#
# mapped (10)
#   lang-includes/conf.d/10-global.conf:1  global_defs                                           cluster, and notify blocks: see what stands in it
#   lang-includes/conf.d/20-vs.conf:1      virtual_server 10.3.0.1 80                            service "tcp-10.3.0.1-80"
#   lang-includes/conf.d/20-vs.conf:2      virtual_server 10.3.0.1 80 / protocol TCP             protocol
#   lang-includes/conf.d/servers/a.srv:1   virtual_server 10.3.0.1 80 / real_server 10.3.1.1 80  server "10.3.1.1:80"
#   lang-includes/conf.d/servers/b.srv:1   virtual_server 10.3.0.1 80 / real_server 10.3.1.2 80  server "10.3.1.2:80"
#   lang-includes/lb1.conf:4               vrrp_instance inc                                     group "inc"
#   lang-includes/lb1.conf:5               vrrp_instance inc / interface eth0                    vip: interface
#   lang-includes/lb1.conf:6               vrrp_instance inc / virtual_router_id 3               virtual_router: vrid
#   lang-includes/lb1.conf:7               vrrp_instance inc / virtual_ipaddress                 vip: address
#   lang-includes/conf.d/addresses.list:1  vrrp_instance inc / virtual_ipaddress / 10.3.0.1/24   vip "10.3.0.1": address
#
