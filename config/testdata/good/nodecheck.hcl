# A VIP follows a healthy HAProxy, and avoids a node that has lost its second uplink.
vip "web" {
  address = "192.0.2.10/24"
}

node_check "haproxy" {
  required = true
  vips     = ["web"]
  check "process" {
    process   = "haproxy"
    arguments = ["-Ws"]
    delay     = "100ms"
  }
  check "tcp" { port = 80 }
}

node_check "uplink" {
  weight = -20
  nodes  = ["lb1", "lb2"]
  check "interface" { interface = "eth1" }
}

service "web" {
  vip  = "web"
  port = 80
  check "script" {
    command = ["/usr/local/lib/checks/web", "-w", "5"]
    user    = "root"
  }
  check "file" {
    file    = "/run/quorate/web.down"
    missing = "down"
  }
  server "10.0.0.1:80" {}
}
