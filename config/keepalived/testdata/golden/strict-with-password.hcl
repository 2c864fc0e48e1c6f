# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   strict-with-password.conf:21: vrrp_instance VI_1 / authentication: keepalived leaves it out: strict mode has none; take it out
#
# changed meaning:
#   strict-with-password.conf:7: global_defs / smtp_server 192.168.200.1: notify "mail": server, in the clear as keepalived sends (starttls = false); the leader sends it, once for the cluster; leave starttls out, if the server can do it and is not on the same host
#   strict-with-password.conf:11: global_defs / vrrp_strict: what the RFCs leave out was left out of the virtual router too; but an owner takes in packets for its address (there is no no_accept)
#   strict-with-password.conf:18: vrrp_instance VI_1 / virtual_router_id 51: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   strict-with-password.conf:19: vrrp_instance VI_1 / priority 80: the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   strict-with-password.conf:37: virtual_server 192.168.56.118 443 / real_server 192.168.56.121 443 / SSL_GET: check "https" with verify = false: keepalived looks at no certificate, and so it was done here; leave verify out, and name the authority with ca

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# strict-with-password.conf:18, strict-with-password.conf:20
virtual_router "VI_1" {
  vrid    = 51
  version = 2
}

# A virtual IP address, which one node at a time owns.
# strict-with-password.conf:26
vip "VI_1" {
  address        = "192.168.56.118/24"
  interface      = "enp0s8"
  virtual_router = "VI_1"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# strict-with-password.conf:29
service "tcp-192.168.56.118-443" {
  vip         = "VI_1"
  port        = 443
  protocol    = "tcp"
  scheduler   = "rr"
  persistence = "50s"
  forward     = "dr"

  check "https" {
    interval      = "6s"
    fast_interval = "3s"
    timeout       = "3s"
    rise          = 1
    fall          = 4
    path          = "/"
    status        = ["200-299"]
    md5           = "ff20ad2481f97b1754ef3e12ecd3a9cc"
    verify        = false
  }

  server "192.168.56.121:443" { weight = 1 }
}

# Somebody who is told what happens, by exactly one of the blocks in it. A `webhook` and an `email` are sent by the leader, each event once and in order; a `script` is run, and a `fifo` is written, by each node about itself, as keepalived does. notify.md says what is promised.
# strict-with-password.conf:7
notify "mail" {
  events = ["health", "service"]

  email {
    server   = "192.168.200.1:25"
    from     = "lvs@example.org"
    to       = ["ops@example.org"]
    starttls = false
    timeout  = "30s"
  }
}

# All findings:
# mistake in the source (3)
#   strict-with-password.conf:21  vrrp_instance VI_1 / authentication                   keepalived leaves it out: strict mode has none; take it out
#   strict-with-password.conf:22  vrrp_instance VI_1 / authentication / auth_type PASS  it is part of authentication
#   strict-with-password.conf:23  vrrp_instance VI_1 / authentication / auth_pass …     it is part of authentication
#
# changed meaning (5)
#   strict-with-password.conf:7   global_defs / smtp_server 192.168.200.1                                       notify "mail": server, in the clear as keepalived sends (starttls = false); the leader sends it, once for the cluster; leave starttls out, if the server can do it and is not on the same host
#   strict-with-password.conf:11  global_defs / vrrp_strict                                                     what the RFCs leave out was left out of the virtual router too; but an owner takes in packets for its address (there is no no_accept)
#   strict-with-password.conf:18  vrrp_instance VI_1 / virtual_router_id 51                                     the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   strict-with-password.conf:19  vrrp_instance VI_1 / priority 80                                              the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#   strict-with-password.conf:37  virtual_server 192.168.56.118 443 / real_server 192.168.56.121 443 / SSL_GET  check "https" with verify = false: keepalived looks at no certificate, and so it was done here; leave verify out, and name the authority with ca
#
# ignored: not needed (6)
#   strict-with-password.conf:9   global_defs / router_id LVS_DEVEL       a node has the name of its agent, lb1
#   strict-with-password.conf:10  global_defs / vrrp_skip_check_adv_addr  adverts with other addresses count, and the difference is reported
#   strict-with-password.conf:12  global_defs / vrrp_garp_interval 0      the new owner announces an address at once, several times, and again while it has it, without being told
#   strict-with-password.conf:13  global_defs / vrrp_gna_interval 0       the new owner announces an address at once, several times, and again while it has it, without being told
#   strict-with-password.conf:16  vrrp_instance VI_1 / state BACKUP       it is a hint for the start; `prefer` follows the priorities
#   strict-with-password.conf:43  nb_get_retry 3                          nb_get_retry is an old spelling of retry, and taken for it
#
# mapped (25)
#   strict-with-password.conf:2   global_defs                                                                                            cluster, and notify blocks: see what stands in it
#   strict-with-password.conf:3   global_defs / notification_email                                                                       notify "mail": to
#   strict-with-password.conf:4   global_defs / notification_email / ops@example.org                                                     it is part of notification_email
#   strict-with-password.conf:6   global_defs / notification_email_from lvs@example.org                                                  notify "mail": from
#   strict-with-password.conf:8   global_defs / smtp_connect_timeout 30                                                                  notify "mail": timeout
#   strict-with-password.conf:15  vrrp_instance VI_1                                                                                     vip "VI_1"
#   strict-with-password.conf:17  vrrp_instance VI_1 / interface enp0s8                                                                  vip: interface
#   strict-with-password.conf:18  vrrp_instance VI_1 / virtual_router_id 51                                                              virtual_router: vrid
#   strict-with-password.conf:20  vrrp_instance VI_1 / advert_int 1                                                                      virtual_router: interval
#   strict-with-password.conf:25  vrrp_instance VI_1 / virtual_ipaddress                                                                 vip: address
#   strict-with-password.conf:26  vrrp_instance VI_1 / virtual_ipaddress / 192.168.56.118/24                                             vip "VI_1": address
#   strict-with-password.conf:29  virtual_server 192.168.56.118 443                                                                      service "tcp-192.168.56.118-443"
#   strict-with-password.conf:30  virtual_server 192.168.56.118 443 / delay_loop 6                                                       check: interval
#   strict-with-password.conf:31  virtual_server 192.168.56.118 443 / lb_algo rr                                                         scheduler
#   strict-with-password.conf:32  virtual_server 192.168.56.118 443 / lb_kind DR                                                         forward, tunnel
#   strict-with-password.conf:33  virtual_server 192.168.56.118 443 / persistence_timeout 50                                             persistence
#   strict-with-password.conf:34  virtual_server 192.168.56.118 443 / protocol TCP                                                       protocol
#   strict-with-password.conf:35  virtual_server 192.168.56.118 443 / real_server 192.168.56.121 443                                     server "192.168.56.121:443"
#   strict-with-password.conf:36  virtual_server 192.168.56.118 443 / real_server 192.168.56.121 443 / weight 1                          server: weight
#   strict-with-password.conf:38  virtual_server 192.168.56.118 443 / real_server 192.168.56.121 443 / SSL_GET / url                     check: path, status …
#   strict-with-password.conf:39  virtual_server 192.168.56.118 443 / real_server 192.168.56.121 443 / SSL_GET / url / path /            path
#   strict-with-password.conf:40  virtual_server 192.168.56.118 443 / real_server 192.168.56.121 443 / SSL_GET / url / digest ff20ad24…  md5
#   strict-with-password.conf:42  virtual_server 192.168.56.118 443 / real_server 192.168.56.121 443 / SSL_GET / connect_timeout 3       check: timeout, for the whole probe
#   strict-with-password.conf:43  virtual_server 192.168.56.118 443 / real_server 192.168.56.121 443 / SSL_GET / nb_get_retry 3          check: fall, one more than that
#   strict-with-password.conf:44  virtual_server 192.168.56.118 443 / real_server 192.168.56.121 443 / SSL_GET / delay_before_retry 3    check: fast_interval, from probe to probe
#
