package agent

import (
	"os"
	"strings"
	"testing"
)

func TestTimersSlacken(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs CAP_SYS_NICE: run as root")
	}
	if err := slackenTimers(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("/proc/self/timerslack_ns")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(b)); got != "1000000" {
		t.Fatalf("the main thread has a slack of %s ns", got)
	}
}
