package main

import "github.com/spf13/cobra"

func (a *app) vrrpCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "vrrp",
		Short: "Look at routers that speak VRRP, like keepalived, and take VIPs over from them",
		Long: `Look at the routers that speak VRRP beside the cluster, like keepalived: who has which virtual router, and what does not
fit the cluster's configuration.`,
		Example: `  quorate vrrp list
  quorate vrrp show VI_1
  quorate vrrp scan
  quorate vrrp scan eth0 --for 30s
  quorate vrrp takeover web
  quorate vrrp giveback web`,
	}
	cmd.AddCommand(a.vrrpList(), a.vrrpShow(), a.vrrpScan(), a.vrrpTakeover(), a.vrrpGiveback())
	return cmd
}
