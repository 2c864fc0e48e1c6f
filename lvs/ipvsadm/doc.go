// Package ipvsadm writes services as ipvsadm(8) saves them, so that `ipvsadm -R` makes the same table of them:
//
//	-A -t 192.0.2.10:80 -s wlc -p 300
//	-a -t 192.0.2.10:80 -r 10.0.0.11:8080 -m -w 1
//
// It only writes. Package config/ipvsadm reads.
package ipvsadm
