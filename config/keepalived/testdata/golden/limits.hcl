# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   limits.conf:15: virtual_server 10.19.0.1 80 / connect_timeout 0.0001: "0.0001" is not seconds from 0.001 to 1000000; correct it, then import again
#   limits.conf:18: virtual_server 10.19.0.1 80 / hysteresis 5: it is not less than the quorum; 2 was taken; make it smaller
#   limits.conf:22: virtual_server 10.19.0.1 80 / real_server 10.19.1.1 80 / lthreshold 9: it is not below uthreshold, and was left out; correct it, then import again
#
# unsupported:
#   limits.conf:24: virtual_server 10.19.0.1 80 / real_server 10.19.0.1 81: service.tcp-10.19.0.1-80.server.10.19.0.1:81 was left out, as it would be refused: address = "10.19.0.1:81": this is the VIP itself, so traffic would go round in circles; use the server's own address, and import again or add it by hand
#   limits.conf:25: virtual_server 10.19.0.1 80 / real_server fe80::1 80: service.tcp-10.19.0.1-80.server.[fe80::1]:80 was left out, as it would be refused: address = "[fe80::1]:80": the server and the VIP are of different address families; use a server address of the VIP's family, or forward = "tun", and import again or add it by hand
#
# changed meaning:
#   limits.conf:1: vrrp_script slow / script "/bin/slow": it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   limits.conf:2: vrrp_script slow / interval 7200: interval is 1h0m0s: it can be from 50ms to 1h0m0s; look whether that will do
#   limits.conf:3: vrrp_script slow / timeout 0.0001: timeout is 1ms: it can be from 1ms to 1h0m0s; look whether that will do
#   limits.conf:4: vrrp_script slow / rise 500: rise is 100 at most
#   limits.conf:5: vrrp_script slow / fall 500: fall is 100 at most
#   limits.conf:8: vrrp_instance L / virtual_router_id 19: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   limits.conf:14: virtual_server 10.19.0.1 80 / delay_loop 86400: interval is 1h0m0s: it can be from 50ms to 1h0m0s; look whether that will do
#   limits.conf:16: virtual_server 10.19.0.1 80 / retry 5000: fall is 100 at most
#   limits.conf:17: virtual_server 10.19.0.1 80 / persistence_timeout 4000000: persistence is 744h0m0s: it can be from 1s to 744h0m0s; look whether that will do

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# limits.conf:8
virtual_router "L" {
  vrid    = 19
  version = 2
}

# A virtual IP address, which one node at a time owns.
# limits.conf:10
vip "L" {
  address        = "10.19.0.1/24"
  interface      = "eth0"
  virtual_router = "L"
}

# What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask 127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.
# limits.conf:1
node_check "slow" {
  required = true
  vips     = ["L"]

  check "script" {
    interval = "1h"
    timeout  = "1ms"
    rise     = 100
    fall     = 100
    command  = ["/bin/slow"]
  }
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# limits.conf:12
service "tcp-10.19.0.1-80" {
  vip         = "L"
  port        = 80
  protocol    = "tcp"
  scheduler   = "wlc"
  persistence = "744h"
  forward     = "nat"
  quorum      = 3
  hysteresis  = 2

  check "tcp" {
    interval      = "1h"
    fast_interval = "5s"
    timeout       = "5s"
    rise          = 1
    fall          = 100
  }

  server "10.19.1.1:80" {
    weight          = 65535
    upper_threshold = 5
  }
}

# All findings:
# mistake in the source (3)
#   limits.conf:15  virtual_server 10.19.0.1 80 / connect_timeout 0.0001                   "0.0001" is not seconds from 0.001 to 1000000; correct it, then import again
#   limits.conf:18  virtual_server 10.19.0.1 80 / hysteresis 5                             it is not less than the quorum; 2 was taken; make it smaller
#   limits.conf:22  virtual_server 10.19.0.1 80 / real_server 10.19.1.1 80 / lthreshold 9  it is not below uthreshold, and was left out; correct it, then import again
#
# unsupported (2)
#   limits.conf:24  virtual_server 10.19.0.1 80 / real_server 10.19.0.1 81  service.tcp-10.19.0.1-80.server.10.19.0.1:81 was left out, as it would be refused: address = "10.19.0.1:81": this is the VIP itself, so traffic would go round in circles; use the server's own address, and import again or add it by hand
#   limits.conf:25  virtual_server 10.19.0.1 80 / real_server fe80::1 80    service.tcp-10.19.0.1-80.server.[fe80::1]:80 was left out, as it would be refused: address = "[fe80::1]:80": the server and the VIP are of different address families; use a server address of the VIP's family, or forward = "tun", and import again or add it by hand
#
# changed meaning (9)
#   limits.conf:1   vrrp_script slow / script "/bin/slow"                      it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   limits.conf:2   vrrp_script slow / interval 7200                           interval is 1h0m0s: it can be from 50ms to 1h0m0s; look whether that will do
#   limits.conf:3   vrrp_script slow / timeout 0.0001                          timeout is 1ms: it can be from 1ms to 1h0m0s; look whether that will do
#   limits.conf:4   vrrp_script slow / rise 500                                rise is 100 at most
#   limits.conf:5   vrrp_script slow / fall 500                                fall is 100 at most
#   limits.conf:8   vrrp_instance L / virtual_router_id 19                     the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   limits.conf:14  virtual_server 10.19.0.1 80 / delay_loop 86400             interval is 1h0m0s: it can be from 50ms to 1h0m0s; look whether that will do
#   limits.conf:16  virtual_server 10.19.0.1 80 / retry 5000                   fall is 100 at most
#   limits.conf:17  virtual_server 10.19.0.1 80 / persistence_timeout 4000000  persistence is 744h0m0s: it can be from 1s to 744h0m0s; look whether that will do
#
# ignored: not needed (1)
#   limits.conf:9  vrrp_instance L / preempt_delay 0  it is the default
#
# mapped (16)
#   limits.conf:1   vrrp_script slow                                                       node_check
#   limits.conf:6   vrrp_script slow / weight 0                                            node_check "slow": required
#   limits.conf:7   vrrp_instance L                                                        vip "L"
#   limits.conf:7   vrrp_instance L / interface eth0                                       vip: interface
#   limits.conf:8   vrrp_instance L / virtual_router_id 19                                 virtual_router: vrid
#   limits.conf:10  vrrp_instance L / virtual_ipaddress                                    vip: address
#   limits.conf:10  vrrp_instance L / virtual_ipaddress / 10.19.0.1/24                     vip "L": address
#   limits.conf:11  vrrp_instance L / track_script                                         node_check: vips, groups
#   limits.conf:11  vrrp_instance L / track_script / slow                                  node_check "slow": required
#   limits.conf:12  virtual_server 10.19.0.1 80                                            service "tcp-10.19.0.1-80"
#   limits.conf:13  virtual_server 10.19.0.1 80 / protocol TCP                             protocol
#   limits.conf:19  virtual_server 10.19.0.1 80 / quorum 3                                 quorum
#   limits.conf:20  virtual_server 10.19.0.1 80 / real_server 10.19.1.1 80                 server "10.19.1.1:80"
#   limits.conf:20  virtual_server 10.19.0.1 80 / real_server 10.19.1.1 80 / weight 65535  server: weight
#   limits.conf:21  virtual_server 10.19.0.1 80 / real_server 10.19.1.1 80 / uthreshold 5  server: upper_threshold
#   limits.conf:23  virtual_server 10.19.0.1 80 / real_server 10.19.1.1 80 / TCP_CHECK     check "tcp"
#
