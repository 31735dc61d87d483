package figures_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
)

// TestMain lets this program be the other processes that a figure needs.
func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case roleBare:
		os.Exit(playBare())
	case roleConstant:
		os.Exit(playConstant())
	case roleUnpack:
		os.Exit(playUnpack())
	case rolePoller:
		os.Exit(playPoller())
	case roleCrowd:
		os.Exit(playCrowd())
	}
	os.Exit(devicetest.Main(m))
}

// BenchmarkFigures takes every figure and prints the table of all of them.
func BenchmarkFigures(b *testing.B) {
	l := newLab(b)
	var t table
	for _, figure := range []struct {
		name string
		take func(*testing.B, *lab) []row
	}{
		{"staged", staged},
		{"memory", memory},
		{"transactions", transactions},
		{"transition", transition},
		{"downtime", downtime},
		{"together", together},
		{"recover", recovery},
		{"polls", polls},
		{"unread", unread},
		{"crowd", crowd},
		{"size", size},
		{"unpack", unpack},
		{"patched", patched},
		{"wire", wire},
		{"boot", atBoot},
		{"idle", idle},
		{"polled", polled},
		{"unattended", unattended},
		{"pushed", pushed},
	} {
		b.Run(figure.name, func(b *testing.B) {
			for b.Loop() {
				rows := figure.take(b, l)
				for _, r := range rows {
					b.ReportMetric(r.value(), r.unit())
				}
				t = append(t, rows...)
			}
			// The time that the taking took is not a figure.
			b.ReportMetric(0, "ns/op")
		})
	}
	fmt.Printf("\n%s\n%s\n", t, l.wires)
}
