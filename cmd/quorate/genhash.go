package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/health"
)

// genhashFlags are those of `quorate genhash`.
type genhashFlags struct {
	server, serverName, ca string
	insecure, http2        bool
	timeout                time.Duration
}

// genhash is what the command says as JSON.
type genhash struct {
	URL    string `json:"url"`
	Server string `json:"server"`
	health.Page
}

func (a *app) genhashCommand() *cobra.Command {
	var f genhashFlags
	cmd := &cobra.Command{
		Use:   "genhash URL",
		Short: "Print the check for a page that must not change: the digests of its body",
		Long: `Ask for a page twice, as a check of type http or https does, and print the check that compares its body. A redirect is not
followed. A page that is another one each time has no digest: such a check is better done with contains or regex.

No agent is needed.`,
		Example: `  quorate genhash http://10.0.0.11:8080/status
  quorate genhash https://www.example.org/logo.png --server 10.0.0.11:8443 --ca /etc/ssl/internal-ca.pem`,
		Args: needs("a URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, u, err := f.target(cmd.Context(), args[0])
			if err != nil {
				return &usageError{cmd, err}
			}
			return a.genhash(cmd.Context(), t, u)
		},
	}
	cmd.Flags().StringVar(&f.server, "server", "", "ask this server, ADDRESS:PORT, in place of the URL's host")
	cmd.Flags().StringVar(&f.serverName, "server-name", "", "name that the certificate has to be for, in place of the URL's host")
	cmd.Flags().StringVar(&f.ca, "ca", "", "file of the authorities that may have signed the certificate (default: the system's)")
	cmd.Flags().BoolVar(&f.insecure, "insecure", false, "take any certificate")
	cmd.Flags().BoolVar(&f.http2, "http2", false, "speak HTTP/2")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 10*time.Second, "time for the answer")
	cmd.MarkFlagsMutuallyExclusive("insecure", "ca")
	cmd.MarkFlagsMutuallyExclusive("insecure", "server-name")
	return cmd
}

// target is whom to ask what.
func (f genhashFlags) target(ctx context.Context, text string) (t health.Target, u *url.URL, err error) {
	u, err = url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return t, u, fmt.Errorf("%q: want a URL like http://10.0.0.11:8080/status or https://www.example.org/", text)
	}
	t = health.Target{Type: health.Type(u.Scheme), Interval: f.timeout, Timeout: f.timeout, TLS: health.TLS{ServerName: f.serverName, CA: f.ca, Unverified: f.insecure}}
	if f.timeout < time.Millisecond || f.timeout > 5*time.Minute {
		return t, u, fmt.Errorf("--timeout %v: want 1ms to 5m", f.timeout)
	}
	if u.Scheme == "http" && (f.serverName != "" || f.ca != "" || f.insecure) {
		return t, u, errors.New("--server-name, --ca and --insecure are about https")
	}
	if f.http2 {
		t.HTTP.Version = "2"
	}
	if t.Addr, err = f.address(ctx, u); err != nil {
		return t, u, err
	}
	ask := health.URL{Path: u.RequestURI()}
	if u.Host != t.Addr.String() {
		ask.Host = u.Host
	}
	t.HTTP.URLs = []health.URL{ask}
	return t, u, nil
}

// address is the server to ask: as told, or the first that the URL's host stands for.
func (f genhashFlags) address(ctx context.Context, u *url.URL) (netip.AddrPort, error) {
	if f.server != "" {
		a, err := netip.ParseAddrPort(f.server)
		if err != nil {
			return a, fmt.Errorf("--server %q is not ADDRESS:PORT: write it like 10.0.0.11:8080 or [2001:db8::11]:8080", f.server)
		}
		return a, nil
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if u.Port() != "" {
		port = u.Port()
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return netip.AddrPort{}, fmt.Errorf("port %q: want 1 to 65535", port)
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		return netip.AddrPortFrom(a, uint16(n)), nil
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w; --server ADDRESS:PORT needs no name", err)
	}
	return netip.AddrPortFrom(found[0].Unmap(), uint16(n)), nil
}

// genhash asks twice: a page that changes has no digest.
func (a *app) genhash(ctx context.Context, t health.Target, u *url.URL) error {
	page, err := health.Look(ctx, t)
	if err != nil {
		return fmt.Errorf("%s at %s: %w", u.Redacted(), t.Addr, err)
	}
	again, err := health.Look(ctx, t)
	if err != nil {
		return fmt.Errorf("%s at %s, asked again: %w", u.Redacted(), t.Addr, err)
	}
	if again.Status != page.Status || again.SHA256 != page.SHA256 {
		return fmt.Errorf("%s at %s is another page each time (%d bytes with status %d, then %d with %d): it has no digest; use contains or regex",
			u.Redacted(), t.Addr, page.Size, page.Status, again.Size, again.Status)
	}
	return a.print(genhash{u.Redacted(), t.Addr.String(), page}, func(w io.Writer) { pageCheck(w, t, u, page) })
}

// pageCheck writes the check, to be put into a service.
func pageCheck(w io.Writer, t health.Target, u *url.URL, page health.Page) {
	line := func(key, value string) { fmt.Fprintf(w, "  %-11s = %s\n", key, value) }
	fmt.Fprintf(w, "# %s at %s: status %d, %d bytes\n", u.Redacted(), t.Addr, page.Status, page.Size)
	switch {
	case page.Location != "":
		fmt.Fprintf(w, "# This is a redirect to %s, which is not followed.\n", quote(page.Location))
	case page.Status < 200 || page.Status > 299:
		fmt.Fprintf(w, "# Is this the page that is meant? Its status is no success.\n")
	}
	fmt.Fprintf(w, "check \"%s\" {\n", t.Type)
	line("path", quote(t.HTTP.URLs[0].Path))
	if host := t.HTTP.URLs[0].Host; host != "" {
		line("host", quote(host))
	}
	line("status", fmt.Sprintf(`["%d"]`, page.Status))
	if t.HTTP.Version != "" {
		line("version", quote(t.HTTP.Version))
	}
	if t.TLS.ServerName != "" {
		line("server_name", quote(t.TLS.ServerName))
	}
	if t.TLS.CA != "" {
		line("ca", quote(t.TLS.CA))
	}
	if t.TLS.Unverified {
		line("verify", "false")
	}
	line("sha256", quote(page.SHA256))
	fmt.Fprintf(w, "  # or %-6s = %s\n}\n", "md5", quote(page.MD5))
}

// quote writes a string as a configuration file does.
func quote(s string) string {
	s = strconv.QuoteToASCII(s)
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(s)
}
