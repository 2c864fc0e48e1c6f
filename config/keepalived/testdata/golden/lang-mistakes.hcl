# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   lang-mistakes.conf:3: router_id x y: "y" is one value too many, and keepalived leaves it out; take it out
#   lang-mistakes.conf:4: global_defs / notification_mail: keepalived does not know this keyword here: it reads what stands in its braces as if it stood outside, and the } closes the block around it; did you mean notification_email? correct it, then import again
#   lang-mistakes.conf:5: global_defs / notification_mail / ops@example.org: it stands in a block that keepalived does not know, notification_mail
#   lang-mistakes.conf:7: global_defs / smtp_server: it wants a host; correct it, then import again
#   lang-mistakes.conf:9: vrrp_instnace typo: keepalived does not know this keyword here: it reads what stands in its braces as if it stood outside, and the } closes the block around it; did you mean vrrp_instance? correct it, then import again
#   lang-mistakes.conf:10: vrrp_instnace typo / interface eth0: it stands in a block that keepalived does not know, vrrp_instnace
#   lang-mistakes.conf:11: vrrp_instnace typo / priority 100: it stands in a block that keepalived does not know, vrrp_instnace
#   lang-mistakes.conf:15: vrrp_instance VI / interfaces eth1: keepalived does not know this keyword here, and leaves the line out; did you mean interface? correct it, then import again
#   lang-mistakes.conf:16: vrrp_instance VI / virtual_router_id 256: "256" is not a number from 1 to 255; correct it, then import again
#   lang-mistakes.conf:18: vrrp_instance VI / priority high: "high" is not a number from 1 to 255; correct it, then import again
#   lang-mistakes.conf:19: nopreempt yes: "yes" is one value too many, and keepalived leaves it out; take it out
#   lang-mistakes.conf:20: vrrp_instance VI / weight 5: keepalived does not know this keyword here, and leaves the line out; it belongs into vrrp_script
#   lang-mistakes.conf:21: vrrp_instance VI / state SLAVE: "SLAVE" is not one of MASTER, BACKUP; correct it, then import again
#   lang-mistakes.conf:23: vrrp_instance VI / virtual_ipaddress / 10.7.0.1/24 dev: keepalived knows no option "dev" of an address; take it out
#   lang-mistakes.conf:24: vrrp_instance VI / virtual_ipaddress / 10.7.0.2/240: "10.7.0.2/240" is no address with a prefix length; write it like 192.0.2.10/24, then import again
#   lang-mistakes.conf:25: vrrp_instance VI / virtual_ipaddress / 10.7.0.3/24 colour blue: keepalived knows no option "colour" of an address; take it out
#   lang-mistakes.conf:26: vrrp_instance VI / virtual_ipaddress / 10.7.0.1/24: the address is there twice; take one out
#   lang-mistakes.conf:28: vrrp_instance VI / authentication: keepalived leaves it out: there is no auth_pass; add one on all directors at once, or take the block out
#   lang-mistakes.conf:30: auth_pass …: a quote is opened and not closed; close it, or write \"
#   lang-mistakes.conf:30: vrrp_instance VI / authentication / auth_pass …: a quote is not closed; correct it, then import again
#   lang-mistakes.conf:33: vrrp_instance VI / track_script / nothing: there is no vrrp_script of this name; correct the name, or take it out
#   lang-mistakes.conf:34: vrrp_instance VI / track_script / more weight lots: weight "lots" is no number from -253 to 253; write it like: NAME weight 20, then import again
#   lang-mistakes.conf:37: vrrp_instance VI: there is a vrrp_instance of this name already, in lang-mistakes.conf:13; give it another name
#   lang-mistakes.conf:43: vrrp_sync_group lonely: it has no member; name instances in a block group { } inside it, then import again
#   lang-mistakes.conf:44: vrrp_sync_group lonely / VI: keepalived does not know this keyword here, and leaves the line out; take it out
#   lang-mistakes.conf:46, lang-mistakes.conf:60: virtual_server 10.7.0.1 80: it has no protocol, and keepalived takes UDP then; so it was done here; add protocol TCP, if that is meant, then import again
#   lang-mistakes.conf:47: virtual_server 10.7.0.1 80 / lb_algo fastest: there is no scheduler "fastest"; wlc was taken; name one that the kernel has
#   lang-mistakes.conf:48: virtual_server 10.7.0.1 80 / sh-port: the scheduler wlc has no such flag; take it out
#   lang-mistakes.conf:49: virtual_server 10.7.0.1 80 / persistence_timeout 0: keepalived takes 0 for a mistake; take it out
#   lang-mistakes.conf:52: virtual_server 10.7.0.1 80 / real_server 10.7.1.1 80 / TCP_CHECK / connect_port http: "http" is not a number from 1 to 65535; correct it, then import again
#   lang-mistakes.conf:57: virtual_server 10.7.0.1 80 / real_server 10.7.1.1 80: the real server is there twice, and keepalived leaves this one out; take it out
#   lang-mistakes.conf:60: virtual_server 10.7.0.1 80: there is a virtual_server for this already, in lang-mistakes.conf:46; take one of them out
#   lang-mistakes.conf:62: }: it closes nothing; take it out, or look for the block that is closed too early
#   lang-mistakes.conf:63: router_id late: keepalived does not know this keyword here, and leaves the line out; it belongs into global_defs
#   lang-mistakes.conf:64: vrrp_script unfinished: its block is not closed; add the missing }
#
# unsupported:
#   lang-mistakes.conf:54: virtual_server 10.7.0.1 80 / real_server 10.7.1.1 80 / HTTP_GET: it has no url, and keepalived takes the server for up then; a server without a check counts as up; correct it, then import again
#
# changed meaning:
#   lang-mistakes.conf:17: vrrp_instance VI / virtual_router_id 7: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-mistakes.conf:19: vrrp_instance VI / nopreempt yes: preempt = false, of the VIPs and of the virtual_router: a director of keepalived that has the addresses keeps them; take it out of the virtual_router before the takeover, or stop that director then

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# VIPs that always have the same owner, and where they go.
# lang-mistakes.conf:13
group "VI" {
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# lang-mistakes.conf:17
virtual_router "VI" {
  vrid    = 7
  version = 2
  preempt = false
}

# A virtual IP address, which one node at a time owns.
# lang-mistakes.conf:23
vip "10.7.0.1" {
  address        = "10.7.0.1/24"
  interface      = "eth0"
  group          = "VI"
  virtual_router = "VI"
}

# lang-mistakes.conf:25
vip "10.7.0.3" {
  address        = "10.7.0.3/24"
  interface      = "eth0"
  group          = "VI"
  virtual_router = "VI"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# lang-mistakes.conf:46
service "udp-10.7.0.1-80" {
  vip       = "10.7.0.1"
  port      = 80
  protocol  = "udp"
  scheduler = "wlc"
  forward   = "nat"

  check "tcp" {
    interval      = "1m"
    fast_interval = "5s"
    timeout       = "5s"
    rise          = 1
    fall          = 2
  }

  server "10.7.1.1:80" { weight = 1 }
}

# All findings:
# mistake in the source (40)
#   lang-mistakes.conf:3                          router_id x y                                                                         "y" is one value too many, and keepalived leaves it out; take it out
#   lang-mistakes.conf:4                          global_defs / notification_mail                                                       keepalived does not know this keyword here: it reads what stands in its braces as if it stood outside, and the } closes the block around it; did you mean notification_email? correct it, then import again
#   lang-mistakes.conf:5                          global_defs / notification_mail / ops@example.org                                     it stands in a block that keepalived does not know, notification_mail
#   lang-mistakes.conf:7                          global_defs / smtp_server                                                             it wants a host; correct it, then import again
#   lang-mistakes.conf:9                          vrrp_instnace typo                                                                    keepalived does not know this keyword here: it reads what stands in its braces as if it stood outside, and the } closes the block around it; did you mean vrrp_instance? correct it, then import again
#   lang-mistakes.conf:10                         vrrp_instnace typo / interface eth0                                                   it stands in a block that keepalived does not know, vrrp_instnace
#   lang-mistakes.conf:11                         vrrp_instnace typo / priority 100                                                     it stands in a block that keepalived does not know, vrrp_instnace
#   lang-mistakes.conf:15                         vrrp_instance VI / interfaces eth1                                                    keepalived does not know this keyword here, and leaves the line out; did you mean interface? correct it, then import again
#   lang-mistakes.conf:16                         vrrp_instance VI / virtual_router_id 256                                              "256" is not a number from 1 to 255; correct it, then import again
#   lang-mistakes.conf:18                         vrrp_instance VI / priority high                                                      "high" is not a number from 1 to 255; correct it, then import again
#   lang-mistakes.conf:19                         nopreempt yes                                                                         "yes" is one value too many, and keepalived leaves it out; take it out
#   lang-mistakes.conf:20                         vrrp_instance VI / weight 5                                                           keepalived does not know this keyword here, and leaves the line out; it belongs into vrrp_script
#   lang-mistakes.conf:21                         vrrp_instance VI / state SLAVE                                                        "SLAVE" is not one of MASTER, BACKUP; correct it, then import again
#   lang-mistakes.conf:23                         vrrp_instance VI / virtual_ipaddress / 10.7.0.1/24 dev                                keepalived knows no option "dev" of an address; take it out
#   lang-mistakes.conf:24                         vrrp_instance VI / virtual_ipaddress / 10.7.0.2/240                                   "10.7.0.2/240" is no address with a prefix length; write it like 192.0.2.10/24, then import again
#   lang-mistakes.conf:25                         vrrp_instance VI / virtual_ipaddress / 10.7.0.3/24 colour blue                        keepalived knows no option "colour" of an address; take it out
#   lang-mistakes.conf:26                         vrrp_instance VI / virtual_ipaddress / 10.7.0.1/24                                    the address is there twice; take one out
#   lang-mistakes.conf:28                         vrrp_instance VI / authentication                                                     keepalived leaves it out: there is no auth_pass; add one on all directors at once, or take the block out
#   lang-mistakes.conf:29                         vrrp_instance VI / authentication / auth_type PASS                                    it is part of authentication
#   lang-mistakes.conf:30                         auth_pass …                                                                           a quote is opened and not closed; close it, or write \"
#   lang-mistakes.conf:30                         vrrp_instance VI / authentication / auth_pass …                                       a quote is not closed; correct it, then import again
#   lang-mistakes.conf:33                         vrrp_instance VI / track_script / nothing                                             there is no vrrp_script of this name; correct the name, or take it out
#   lang-mistakes.conf:34                         vrrp_instance VI / track_script / more weight lots                                    weight "lots" is no number from -253 to 253; write it like: NAME weight 20, then import again
#   lang-mistakes.conf:37                         vrrp_instance VI                                                                      there is a vrrp_instance of this name already, in lang-mistakes.conf:13; give it another name
#   lang-mistakes.conf:38                         vrrp_instance VI / interface eth0                                                     it is part of vrrp_instance
#   lang-mistakes.conf:39                         vrrp_instance VI / virtual_ipaddress                                                  it is part of vrrp_instance
#   lang-mistakes.conf:40                         vrrp_instance VI / virtual_ipaddress / 10.7.0.9/24                                    it is part of vrrp_instance
#   lang-mistakes.conf:43                         vrrp_sync_group lonely                                                                it has no member; name instances in a block group { } inside it, then import again
#   lang-mistakes.conf:44                         vrrp_sync_group lonely / VI                                                           keepalived does not know this keyword here, and leaves the line out; take it out
#   lang-mistakes.conf:46, lang-mistakes.conf:60  virtual_server 10.7.0.1 80                                                            it has no protocol, and keepalived takes UDP then; so it was done here; add protocol TCP, if that is meant, then import again
#   lang-mistakes.conf:47                         virtual_server 10.7.0.1 80 / lb_algo fastest                                          there is no scheduler "fastest"; wlc was taken; name one that the kernel has
#   lang-mistakes.conf:48                         virtual_server 10.7.0.1 80 / sh-port                                                  the scheduler wlc has no such flag; take it out
#   lang-mistakes.conf:49                         virtual_server 10.7.0.1 80 / persistence_timeout 0                                    keepalived takes 0 for a mistake; take it out
#   lang-mistakes.conf:52                         virtual_server 10.7.0.1 80 / real_server 10.7.1.1 80 / TCP_CHECK / connect_port http  "http" is not a number from 1 to 65535; correct it, then import again
#   lang-mistakes.conf:57                         virtual_server 10.7.0.1 80 / real_server 10.7.1.1 80                                  the real server is there twice, and keepalived leaves this one out; take it out
#   lang-mistakes.conf:60                         virtual_server 10.7.0.1 80                                                            there is a virtual_server for this already, in lang-mistakes.conf:46; take one of them out
#   lang-mistakes.conf:62                         }                                                                                     it closes nothing; take it out, or look for the block that is closed too early
#   lang-mistakes.conf:63                         router_id late                                                                        keepalived does not know this keyword here, and leaves the line out; it belongs into global_defs
#   lang-mistakes.conf:64                         vrrp_script unfinished                                                                its block is not closed; add the missing }
#
# unsupported (1)
#   lang-mistakes.conf:54  virtual_server 10.7.0.1 80 / real_server 10.7.1.1 80 / HTTP_GET  it has no url, and keepalived takes the server for up then; a server without a check counts as up; correct it, then import again
#
# changed meaning (2)
#   lang-mistakes.conf:17  vrrp_instance VI / virtual_router_id 7  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-mistakes.conf:19  vrrp_instance VI / nopreempt yes        preempt = false, of the VIPs and of the virtual_router: a director of keepalived that has the addresses keeps them; take it out of the virtual_router before the takeover, or stop that director then
#
# ignored: not needed (3)
#   lang-mistakes.conf:3   global_defs / router_id x y                  a node has the name of its agent, lb1
#   lang-mistakes.conf:64  vrrp_script unfinished                       nothing tracks it, and keepalived does not use it either
#   lang-mistakes.conf:65  vrrp_script unfinished / script "/bin/true"  it is part of vrrp_script
#
# mapped (9)
#   lang-mistakes.conf:2   global_defs                                                       cluster, and notify blocks: see what stands in it
#   lang-mistakes.conf:13  vrrp_instance VI                                                  group "VI"
#   lang-mistakes.conf:14  vrrp_instance VI / interface eth0                                 vip: interface
#   lang-mistakes.conf:17  vrrp_instance VI / virtual_router_id 7                            virtual_router: vrid
#   lang-mistakes.conf:22  vrrp_instance VI / virtual_ipaddress                              vip: address
#   lang-mistakes.conf:32  vrrp_instance VI / track_script                                   node_check: vips, groups
#   lang-mistakes.conf:46  virtual_server 10.7.0.1 80                                        service "udp-10.7.0.1-80"
#   lang-mistakes.conf:50  virtual_server 10.7.0.1 80 / real_server 10.7.1.1 80              server "10.7.1.1:80"
#   lang-mistakes.conf:51  virtual_server 10.7.0.1 80 / real_server 10.7.1.1 80 / TCP_CHECK  check "tcp"
#
