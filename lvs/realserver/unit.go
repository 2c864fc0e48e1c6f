package realserver

import (
	"fmt"
	"strings"
)

// Unit is the text of a systemd unit that runs a setup at each boot: nothing of what setup makes outlives one. The command is
// the program's path and its arguments.
func Unit(command []string) string {
	line := make([]string, len(command))
	for i, word := range command {
		line[i] = unitWord(word)
	}
	return fmt.Sprintf(`[Unit]
Description=Real server of a quorate cluster
Wants=network-online.target
After=network-online.target systemd-sysctl.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=%s

[Install]
WantedBy=multi-user.target
`, strings.Join(line, " "))
}

// unitWord quotes a word of a command line (systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers").
func unitWord(word string) string {
	word = strings.NewReplacer("%", "%%", "$", "$$").Replace(word)
	if word != "" && !strings.ContainsAny(word, " \t\n\"'\\;") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(word) + `"`
}
