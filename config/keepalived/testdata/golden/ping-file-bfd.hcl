# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   ping-file-bfd.conf:60: virtual_server 192.0.2.31 8080 / real_server 10.0.0.1 8080 / FILE_CHECK / track_file nowhere: there is no track_file of this name; correct the name
#
# unsupported:
#   ping-file-bfd.conf:59: virtual_server 192.0.2.31 8080 / real_server 10.0.0.1 8080 / FILE_CHECK: there is no track_file of its name; a server without a check counts as up; correct it, then import again
#
# changed meaning:
#   ping-file-bfd.conf:19: virtual_server 192.0.2.31 80: no vrrp_instance has the address: vip "192.0.2.31" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#   ping-file-bfd.conf:25, ping-file-bfd.conf:37, ping-file-bfd.conf:44, ping-file-bfd.conf:53 and 1 more: FILE_CHECK: a script looks into the file every second on each director that checks, as quorate_script or nobody; a weight from the file is 253 at most; better in the long run: check "file", which is noticed at once, with a file that says up, down, drain or the weight itself

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# ping-file-bfd.conf:19
vip "192.0.2.31" {
  address = "192.0.2.31/32"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# ping-file-bfd.conf:33
service "tcp-192.0.2.31-443" {
  vip       = "192.0.2.31"
  port      = 443
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "nat"

  check "script" {
    interval       = "1s"
    timeout        = "1s"
    rise           = 1
    fall           = 1
    command        = ["/bin/sh", "-c", "case \"$QUORATE_ADDRESS\" in '10.0.0.1') set -- '/run/weights/a' '10';; '10.0.0.2') set -- '/run/weights/a' '20';; *) exit 1;; esac; v=; { read -r v <\"$1\"; } 2>/dev/null; case \"$v\" in \"\"|*[!0-9-]*) v=0;; esac; w=$(($2 + v * 5)); [ $w -ge 0 ] || w=0; [ $w -le 253 ] || w=253; exit $((w + 2))"]
    dynamic_weight = true
  }

  server "10.0.0.1:443" { weight = 10 }
  server "10.0.0.2:443" { weight = 20 }
}

# ping-file-bfd.conf:19
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
  check "script" {
    interval       = "1s"
    timeout        = "1s"
    rise           = 1
    fall           = 1
    command        = ["/bin/sh", "-c", "v=; { read -r v <\"$1\"; } 2>/dev/null; case \"$v\" in \"\"|*[!0-9-]*) v=0;; esac; w=$(($2 + v * 1)); [ $w -ge 0 ] || w=0; [ $w -le 253 ] || w=253; exit $((w + 2))", "file", "/run/weights/a", "1"]
    dynamic_weight = true
  }
  check "bfd" {
    interval   = "2s"
    timeout    = "1s"
    rise       = 1
    fall       = 1
    transmit   = "10ms"
    receive    = "100ms"
    multiplier = 4
    passive    = true
  }

  server "10.0.0.1:80" { weight = 1 }
}

# ping-file-bfd.conf:50
service "tcp-192.0.2.31-8080" {
  vip       = "192.0.2.31"
  port      = 8080
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "nat"

  check "script" {
    interval       = "1s"
    timeout        = "1s"
    rise           = 1
    fall           = 1
    command        = ["/bin/sh", "-c", "v=; { read -r v <\"$1\"; } 2>/dev/null; case \"$v\" in \"\"|*[!0-9-]*) v=0;; esac; w=$(($2 + v * 2)); [ $w -ge 0 ] || w=0; [ $w -le 253 ] || w=253; exit $((w + 2))", "file", "/run/weights/b", "1"]
    dynamic_weight = true
  }
  check "script" {
    interval = "1s"
    timeout  = "1s"
    rise     = 1
    fall     = 1
    command  = ["/bin/sh", "-c", "v=; { read -r v <\"$1\"; } 2>/dev/null; case \"$v\" in \"\"|*[!0-9-]*) v=0;; esac; [ \"$v\" -eq 0 ]", "file", "/run/switch", "1"]
  }

  server "10.0.0.1:8080" { weight = 1 }
}

# All findings:
# mistake in the source (1)
#   ping-file-bfd.conf:60  virtual_server 192.0.2.31 8080 / real_server 10.0.0.1 8080 / FILE_CHECK / track_file nowhere  there is no track_file of this name; correct the name
#
# unsupported (1)
#   ping-file-bfd.conf:59  virtual_server 192.0.2.31 8080 / real_server 10.0.0.1 8080 / FILE_CHECK  there is no track_file of its name; a server without a check counts as up; correct it, then import again
#
# changed meaning (6)
#   ping-file-bfd.conf:19                         virtual_server 192.0.2.31 80                                             no vrrp_instance has the address: vip "192.0.2.31" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#   ping-file-bfd.conf:25                         virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80 / FILE_CHECK      a script looks into the file every second on each director that checks, as quorate_script or nobody; a weight from the file is 253 at most; better in the long run: check "file", which is noticed at once, with a file that says up, down, drain or the weight itself
#   ping-file-bfd.conf:37                         virtual_server 192.0.2.31 443 / real_server 10.0.0.1 443 / FILE_CHECK    a script looks into the file every second on each director that checks, as quorate_script or nobody; a weight from the file is 253 at most; better in the long run: check "file", which is noticed at once, with a file that says up, down, drain or the weight itself
#   ping-file-bfd.conf:44                         virtual_server 192.0.2.31 443 / real_server 10.0.0.2 443 / FILE_CHECK    a script looks into the file every second on each director that checks, as quorate_script or nobody; a weight from the file is 253 at most; better in the long run: check "file", which is noticed at once, with a file that says up, down, drain or the weight itself
#   ping-file-bfd.conf:53, ping-file-bfd.conf:56  virtual_server 192.0.2.31 8080 / real_server 10.0.0.1 8080 / FILE_CHECK  a script looks into the file every second on each director that checks, as quorate_script or nobody; a weight from the file is 253 at most; better in the long run: check "file", which is noticed at once, with a file that says up, down, drain or the weight itself
#
# mapped (37)
#   ping-file-bfd.conf:1   track_file weight_a                                                                            check "script"
#   ping-file-bfd.conf:2   track_file weight_a / file /run/weights/a                                                      check "script": command
#   ping-file-bfd.conf:3   track_file weight_a / weight 1                                                                 check "script": command
#   ping-file-bfd.conf:5   track_file weight_b                                                                            check "script"
#   ping-file-bfd.conf:6   track_file weight_b / file /run/weights/b                                                      check "script": command
#   ping-file-bfd.conf:7   track_file weight_b / weight -2 reverse                                                        check "script": command
#   ping-file-bfd.conf:9   track_file switch                                                                              check "script"
#   ping-file-bfd.conf:10  track_file switch / file /run/switch                                                           check "script": command
#   ping-file-bfd.conf:11  track_file switch / weight 0                                                                   check "script": command
#   ping-file-bfd.conf:13  bfd_instance to_a                                                                              check "bfd"
#   ping-file-bfd.conf:14  bfd_instance to_a / neighbor_ip 10.0.0.1                                                       check "bfd": address
#   ping-file-bfd.conf:15  bfd_instance to_a / min_rx 100                                                                 check: receive
#   ping-file-bfd.conf:16  bfd_instance to_a / multiplier 4                                                               check: multiplier
#   ping-file-bfd.conf:17  bfd_instance to_a / passive                                                                    check: passive = true
#   ping-file-bfd.conf:19  virtual_server 192.0.2.31 80                                                                   service "tcp-192.0.2.31-80"
#   ping-file-bfd.conf:20  virtual_server 192.0.2.31 80 / protocol TCP                                                    protocol
#   ping-file-bfd.conf:21  virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80                                         server "10.0.0.1:80"
#   ping-file-bfd.conf:22  virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80 / PING_CHECK                            check "ping"
#   ping-file-bfd.conf:23  virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80 / PING_CHECK / retry 2                  check: fall, one more than that
#   ping-file-bfd.conf:26  virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80 / FILE_CHECK / track_file weight_a      check "script": command
#   ping-file-bfd.conf:28  virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80 / BFD_CHECK                             check "bfd"
#   ping-file-bfd.conf:29  virtual_server 192.0.2.31 80 / real_server 10.0.0.1 80 / BFD_CHECK / name to_a                 check "bfd"
#   ping-file-bfd.conf:33  virtual_server 192.0.2.31 443                                                                  service "tcp-192.0.2.31-443"
#   ping-file-bfd.conf:34  virtual_server 192.0.2.31 443 / protocol TCP                                                   protocol
#   ping-file-bfd.conf:35  virtual_server 192.0.2.31 443 / real_server 10.0.0.1 443                                       server "10.0.0.1:443"
#   ping-file-bfd.conf:36  virtual_server 192.0.2.31 443 / real_server 10.0.0.1 443 / weight 10                           server: weight
#   ping-file-bfd.conf:38  virtual_server 192.0.2.31 443 / real_server 10.0.0.1 443 / FILE_CHECK / track_file weight_a    check "script": command
#   ping-file-bfd.conf:39  virtual_server 192.0.2.31 443 / real_server 10.0.0.1 443 / FILE_CHECK / weight 5               check "script": command
#   ping-file-bfd.conf:42  virtual_server 192.0.2.31 443 / real_server 10.0.0.2 443                                       server "10.0.0.2:443"
#   ping-file-bfd.conf:43  virtual_server 192.0.2.31 443 / real_server 10.0.0.2 443 / weight 20                           server: weight
#   ping-file-bfd.conf:45  virtual_server 192.0.2.31 443 / real_server 10.0.0.2 443 / FILE_CHECK / track_file weight_a    check "script": command
#   ping-file-bfd.conf:46  virtual_server 192.0.2.31 443 / real_server 10.0.0.2 443 / FILE_CHECK / weight 5               check "script": command
#   ping-file-bfd.conf:50  virtual_server 192.0.2.31 8080                                                                 service "tcp-192.0.2.31-8080"
#   ping-file-bfd.conf:51  virtual_server 192.0.2.31 8080 / protocol TCP                                                  protocol
#   ping-file-bfd.conf:52  virtual_server 192.0.2.31 8080 / real_server 10.0.0.1 8080                                     server "10.0.0.1:8080"
#   ping-file-bfd.conf:54  virtual_server 192.0.2.31 8080 / real_server 10.0.0.1 8080 / FILE_CHECK / track_file weight_b  check "script": command
#   ping-file-bfd.conf:57  virtual_server 192.0.2.31 8080 / real_server 10.0.0.1 8080 / FILE_CHECK / track_file switch    check "script": command
#
