# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   ping-file-bfd.conf:1: track_file weight_a: it is for a FILE_CHECK, which has become nothing; see there
#   ping-file-bfd.conf:5: bfd_instance to_a: sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#   ping-file-bfd.conf:6: bfd_instance to_a / neighbor_ip 10.0.0.1: sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#   ping-file-bfd.conf:7: bfd_instance to_a / min_rx 100: sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#   ping-file-bfd.conf:8: bfd_instance to_a / multiplier 4: sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#   ping-file-bfd.conf:9: bfd_instance to_a / passive …: sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#   ping-file-bfd.conf:17: virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80 / FILE_CHECK: keepalived adds the number in the file, times the weight, to the weight of the server; check "file" reads the weight itself, or up, down or drain; add check "file", and have that written into its file
#   ping-file-bfd.conf:20: virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80 / BFD_CHECK: sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#   ping-file-bfd.conf:21: virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80 / BFD_CHECK / name to_a: sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#
# changed meaning:
#   ping-file-bfd.conf:11: virtual_server 192.0.2.31 80: no vrrp_instance has the address: vip "192.0.2.31" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# ping-file-bfd.conf:11
vip "192.0.2.31" {
  address = "192.0.2.31/32"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# ping-file-bfd.conf:11
service "tcp-192.0.2.31-80" {
  vip       = "192.0.2.31"
  port      = 80
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "nat"

  check "ping" {
    interval      = "1m"
    fast_interval = "5s"
    timeout       = "5s"
    rise          = 1
    fall          = 3
  }

  server "10.0.0.1:80" { weight = 1 }
}

# All findings:
# unsupported (12)
#   ping-file-bfd.conf:1   track_file weight_a                                                                        it is for a FILE_CHECK, which has become nothing; see there
#   ping-file-bfd.conf:2   track_file weight_a / file /run/weights/a                                                  it is part of track_file
#   ping-file-bfd.conf:3   track_file weight_a / weight 1                                                             it is part of track_file
#   ping-file-bfd.conf:5   bfd_instance to_a                                                                          sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#   ping-file-bfd.conf:6   bfd_instance to_a / neighbor_ip 10.0.0.1                                                   sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#   ping-file-bfd.conf:7   bfd_instance to_a / min_rx 100                                                             sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#   ping-file-bfd.conf:8   bfd_instance to_a / multiplier 4                                                           sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#   ping-file-bfd.conf:9   bfd_instance to_a / passive …                                                              sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#   ping-file-bfd.conf:17  virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80 / FILE_CHECK                        keepalived adds the number in the file, times the weight, to the weight of the server; check "file" reads the weight itself, or up, down or drain; add check "file", and have that written into its file
#   ping-file-bfd.conf:18  virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80 / FILE_CHECK / track_file weight_a  it is part of FILE_CHECK
#   ping-file-bfd.conf:20  virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80 / BFD_CHECK                         sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#   ping-file-bfd.conf:21  virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80 / BFD_CHECK / name to_a             sessions of BFD are not taken over; write a check "bfd" by hand, in a node_check or a service: see docs/health.md; a node that falls silent is noticed by its lease within half a second
#
# changed meaning (1)
#   ping-file-bfd.conf:11  virtual_server 192.0.2.31 80  no vrrp_instance has the address: vip "192.0.2.31" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#
# mapped (5)
#   ping-file-bfd.conf:11  virtual_server 192.0.2.31 80                                                   service "tcp-192.0.2.31-80"
#   ping-file-bfd.conf:12  virtual_server 192.0.2.31 80 / protocol TCP                                    protocol
#   ping-file-bfd.conf:13  virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80                         server "10.0.0.1:80"
#   ping-file-bfd.conf:14  virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80 / PING_CHECK            check "ping"
#   ping-file-bfd.conf:15  virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80 / PING_CHECK / retry 2  check: fall, one more than that
#
