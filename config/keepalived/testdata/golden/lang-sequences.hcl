# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   lang-sequences.conf:4, lang-sequences.conf:13: virtual_router_id: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-sequences.conf:5: priority: the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# VIPs that always have the same owner, and where they go.
# lang-sequences.conf:11
group "hex" {
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# lang-sequences.conf:13
virtual_router "hex" {
  vrid = 99
}

# lang-sequences.conf:4
virtual_router "v4.0.1" {
  vrid    = 1
  version = 2
}

# lang-sequences.conf:4
virtual_router "v4.0.2" {
  vrid    = 2
  version = 2
}

# lang-sequences.conf:4
virtual_router "v4.0.3" {
  vrid    = 3
  version = 2
}

# lang-sequences.conf:4
virtual_router "v4.1.1" {
  vrid    = 1
  version = 2
}

# lang-sequences.conf:4
virtual_router "v4.1.2" {
  vrid    = 2
  version = 2
}

# lang-sequences.conf:4
virtual_router "v4.1.3" {
  vrid    = 3
  version = 2
}

# lang-sequences.conf:4
virtual_router "v4.2.1" {
  vrid    = 1
  version = 2
}

# lang-sequences.conf:4
virtual_router "v4.2.2" {
  vrid    = 2
  version = 2
}

# lang-sequences.conf:4
virtual_router "v4.2.3" {
  vrid    = 3
  version = 2
}

# A virtual IP address, which one node at a time owns.
# lang-sequences.conf:15
vip "fd00--10-90-11" {
  address        = "fd00::10:90:11/64"
  interface      = "eth0"
  group          = "hex"
  virtual_router = "hex"
}

# lang-sequences.conf:15
vip "fd00--10-90-12" {
  address        = "fd00::10:90:12/64"
  interface      = "eth0"
  group          = "hex"
  virtual_router = "hex"
}

# lang-sequences.conf:15
vip "fd00--10-a0-11" {
  address        = "fd00::10:a0:11/64"
  interface      = "eth0"
  group          = "hex"
  virtual_router = "hex"
}

# lang-sequences.conf:15
vip "fd00--10-a0-12" {
  address        = "fd00::10:a0:12/64"
  interface      = "eth0"
  group          = "hex"
  virtual_router = "hex"
}

# lang-sequences.conf:16
vip "fd00--20-7" {
  address        = "fd00::20:7/64"
  interface      = "eth0"
  group          = "hex"
  virtual_router = "hex"
}

# lang-sequences.conf:16
vip "fd00--20-9" {
  address        = "fd00::20:9/64"
  interface      = "eth0"
  group          = "hex"
  virtual_router = "hex"
}

# lang-sequences.conf:7
vip "v4.0.1" {
  address        = "10.5.0.1/24"
  interface      = "bond0.0"
  virtual_router = "v4.0.1"
}

# lang-sequences.conf:7
vip "v4.0.2" {
  address        = "10.5.0.2/24"
  interface      = "bond0.0"
  virtual_router = "v4.0.2"
}

# lang-sequences.conf:7
vip "v4.0.3" {
  address        = "10.5.0.3/24"
  interface      = "bond0.0"
  virtual_router = "v4.0.3"
}

# lang-sequences.conf:7
vip "v4.1.1" {
  address        = "10.5.1.1/24"
  interface      = "bond0.1"
  virtual_router = "v4.1.1"
}

# lang-sequences.conf:7
vip "v4.1.2" {
  address        = "10.5.1.2/24"
  interface      = "bond0.1"
  virtual_router = "v4.1.2"
}

# lang-sequences.conf:7
vip "v4.1.3" {
  address        = "10.5.1.3/24"
  interface      = "bond0.1"
  virtual_router = "v4.1.3"
}

# lang-sequences.conf:7
vip "v4.2.1" {
  address        = "10.5.2.1/24"
  interface      = "bond0.2"
  virtual_router = "v4.2.1"
}

# lang-sequences.conf:7
vip "v4.2.2" {
  address        = "10.5.2.2/24"
  interface      = "bond0.2"
  virtual_router = "v4.2.2"
}

# lang-sequences.conf:7
vip "v4.2.3" {
  address        = "10.5.2.3/24"
  interface      = "bond0.2"
  virtual_router = "v4.2.3"
}

# All findings:
# changed meaning (19)
#   lang-sequences.conf:4   vrrp_instance v4.0.1 / virtual_router_id 1  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-sequences.conf:4   vrrp_instance v4.0.2 / virtual_router_id 2  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-sequences.conf:4   vrrp_instance v4.0.3 / virtual_router_id 3  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-sequences.conf:4   vrrp_instance v4.1.1 / virtual_router_id 1  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-sequences.conf:4   vrrp_instance v4.1.2 / virtual_router_id 2  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-sequences.conf:4   vrrp_instance v4.1.3 / virtual_router_id 3  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-sequences.conf:4   vrrp_instance v4.2.1 / virtual_router_id 1  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-sequences.conf:4   vrrp_instance v4.2.2 / virtual_router_id 2  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-sequences.conf:4   vrrp_instance v4.2.3 / virtual_router_id 3  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-sequences.conf:5   vrrp_instance v4.0.1 / priority 130         the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   lang-sequences.conf:5   vrrp_instance v4.0.2 / priority 130         the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   lang-sequences.conf:5   vrrp_instance v4.0.3 / priority 130         the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   lang-sequences.conf:5   vrrp_instance v4.1.1 / priority 130         the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   lang-sequences.conf:5   vrrp_instance v4.1.2 / priority 130         the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   lang-sequences.conf:5   vrrp_instance v4.1.3 / priority 130         the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   lang-sequences.conf:5   vrrp_instance v4.2.1 / priority 130         the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   lang-sequences.conf:5   vrrp_instance v4.2.2 / priority 130         the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   lang-sequences.conf:5   vrrp_instance v4.2.3 / priority 130         the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   lang-sequences.conf:13  vrrp_instance hex / virtual_router_id 99    the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#
# mapped (55)
#   lang-sequences.conf:3   vrrp_instance v4.0.1 / interface bond0.0                   vip: interface
#   lang-sequences.conf:3   vrrp_instance v4.0.2 / interface bond0.0                   vip: interface
#   lang-sequences.conf:3   vrrp_instance v4.0.3 / interface bond0.0                   vip: interface
#   lang-sequences.conf:3   vrrp_instance v4.1.1 / interface bond0.1                   vip: interface
#   lang-sequences.conf:3   vrrp_instance v4.1.2 / interface bond0.1                   vip: interface
#   lang-sequences.conf:3   vrrp_instance v4.1.3 / interface bond0.1                   vip: interface
#   lang-sequences.conf:3   vrrp_instance v4.2.1 / interface bond0.2                   vip: interface
#   lang-sequences.conf:3   vrrp_instance v4.2.2 / interface bond0.2                   vip: interface
#   lang-sequences.conf:3   vrrp_instance v4.2.3 / interface bond0.2                   vip: interface
#   lang-sequences.conf:4   vrrp_instance v4.0.1 / virtual_router_id 1                 virtual_router: vrid
#   lang-sequences.conf:4   vrrp_instance v4.0.2 / virtual_router_id 2                 virtual_router: vrid
#   lang-sequences.conf:4   vrrp_instance v4.0.3 / virtual_router_id 3                 virtual_router: vrid
#   lang-sequences.conf:4   vrrp_instance v4.1.1 / virtual_router_id 1                 virtual_router: vrid
#   lang-sequences.conf:4   vrrp_instance v4.1.2 / virtual_router_id 2                 virtual_router: vrid
#   lang-sequences.conf:4   vrrp_instance v4.1.3 / virtual_router_id 3                 virtual_router: vrid
#   lang-sequences.conf:4   vrrp_instance v4.2.1 / virtual_router_id 1                 virtual_router: vrid
#   lang-sequences.conf:4   vrrp_instance v4.2.2 / virtual_router_id 2                 virtual_router: vrid
#   lang-sequences.conf:4   vrrp_instance v4.2.3 / virtual_router_id 3                 virtual_router: vrid
#   lang-sequences.conf:6   vrrp_instance v4.0.1 / virtual_ipaddress                   vip: address
#   lang-sequences.conf:6   vrrp_instance v4.0.2 / virtual_ipaddress                   vip: address
#   lang-sequences.conf:6   vrrp_instance v4.0.3 / virtual_ipaddress                   vip: address
#   lang-sequences.conf:6   vrrp_instance v4.1.1 / virtual_ipaddress                   vip: address
#   lang-sequences.conf:6   vrrp_instance v4.1.2 / virtual_ipaddress                   vip: address
#   lang-sequences.conf:6   vrrp_instance v4.1.3 / virtual_ipaddress                   vip: address
#   lang-sequences.conf:6   vrrp_instance v4.2.1 / virtual_ipaddress                   vip: address
#   lang-sequences.conf:6   vrrp_instance v4.2.2 / virtual_ipaddress                   vip: address
#   lang-sequences.conf:6   vrrp_instance v4.2.3 / virtual_ipaddress                   vip: address
#   lang-sequences.conf:7   vrrp_instance v4.0.1 / virtual_ipaddress / 10.5.0.1/24     vip "v4.0.1": address
#   lang-sequences.conf:7   vrrp_instance v4.0.2 / virtual_ipaddress / 10.5.0.2/24     vip "v4.0.2": address
#   lang-sequences.conf:7   vrrp_instance v4.0.3 / virtual_ipaddress / 10.5.0.3/24     vip "v4.0.3": address
#   lang-sequences.conf:7   vrrp_instance v4.1.1 / virtual_ipaddress / 10.5.1.1/24     vip "v4.1.1": address
#   lang-sequences.conf:7   vrrp_instance v4.1.2 / virtual_ipaddress / 10.5.1.2/24     vip "v4.1.2": address
#   lang-sequences.conf:7   vrrp_instance v4.1.3 / virtual_ipaddress / 10.5.1.3/24     vip "v4.1.3": address
#   lang-sequences.conf:7   vrrp_instance v4.2.1 / virtual_ipaddress / 10.5.2.1/24     vip "v4.2.1": address
#   lang-sequences.conf:7   vrrp_instance v4.2.2 / virtual_ipaddress / 10.5.2.2/24     vip "v4.2.2": address
#   lang-sequences.conf:7   vrrp_instance v4.2.3 / virtual_ipaddress / 10.5.2.3/24     vip "v4.2.3": address
#   lang-sequences.conf:10  vrrp_instance v4.0.1                                       vip "v4.0.1"
#   lang-sequences.conf:10  vrrp_instance v4.0.2                                       vip "v4.0.2"
#   lang-sequences.conf:10  vrrp_instance v4.0.3                                       vip "v4.0.3"
#   lang-sequences.conf:10  vrrp_instance v4.1.1                                       vip "v4.1.1"
#   lang-sequences.conf:10  vrrp_instance v4.1.2                                       vip "v4.1.2"
#   lang-sequences.conf:10  vrrp_instance v4.1.3                                       vip "v4.1.3"
#   lang-sequences.conf:10  vrrp_instance v4.2.1                                       vip "v4.2.1"
#   lang-sequences.conf:10  vrrp_instance v4.2.2                                       vip "v4.2.2"
#   lang-sequences.conf:10  vrrp_instance v4.2.3                                       vip "v4.2.3"
#   lang-sequences.conf:11  vrrp_instance hex                                          group "hex"
#   lang-sequences.conf:12  vrrp_instance hex / interface eth0                         vip: interface
#   lang-sequences.conf:13  vrrp_instance hex / virtual_router_id 99                   virtual_router: vrid
#   lang-sequences.conf:14  vrrp_instance hex / virtual_ipaddress                      vip: address
#   lang-sequences.conf:15  vrrp_instance hex / virtual_ipaddress / fd00::10:90:12/64  vip "fd00--10-90-12": address
#   lang-sequences.conf:15  vrrp_instance hex / virtual_ipaddress / fd00::10:90:11/64  vip "fd00--10-90-11": address
#   lang-sequences.conf:15  vrrp_instance hex / virtual_ipaddress / fd00::10:a0:12/64  vip "fd00--10-a0-12": address
#   lang-sequences.conf:15  vrrp_instance hex / virtual_ipaddress / fd00::10:a0:11/64  vip "fd00--10-a0-11": address
#   lang-sequences.conf:16  vrrp_instance hex / virtual_ipaddress / fd00::20:7/64      vip "fd00--20-7": address
#   lang-sequences.conf:16  vrrp_instance hex / virtual_ipaddress / fd00::20:9/64      vip "fd00--20-9": address
#
