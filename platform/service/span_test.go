package service_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
)

func TestTimesOfUnitFiles(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90": 90 * time.Second, "5min 20s": 320 * time.Second, "1h30m": 90 * time.Minute, "500ms": 500 * time.Millisecond,
		"1.5s": 1500 * time.Millisecond, "2 d": 48 * time.Hour, " infinity ": 0, "0": 0, "10 µs": 10 * time.Microsecond,
	} {
		got, ok := service.Span(text)
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "x", "5 parsec", "-3s", "1..2"} {
		_, ok := service.Span(text)
		require.False(t, ok, text)
	}
}
