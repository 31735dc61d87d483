package service

import (
	"strconv"
	"strings"
	"time"
)

// Span reads a time as unit files write it: "5min 20s", "90" (seconds), and "infinity",
// which is 0. It is not ok when systemd would not read it either; see systemd.time(7).
func Span(text string) (d time.Duration, ok bool) {
	text = strings.TrimSpace(text)
	if text == "infinity" {
		return 0, true
	}
	for text != "" {
		end := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if end < 0 {
			end = len(text)
		}
		number, err := strconv.ParseFloat(text[:end], 64)
		if err != nil {
			return 0, false
		}
		text = strings.TrimLeft(text[end:], " \t")
		end = strings.IndexFunc(text, func(r rune) bool { return r < 'A' || r > 'z' && r != 'µ' && r != 'μ' })
		if end < 0 {
			end = len(text)
		}
		unit, known := spanUnit(text[:end])
		if !known {
			return 0, false
		}
		d += time.Duration(number * float64(unit))
		text, ok = strings.TrimLeft(text[end:], " \t"), true
	}
	return d, ok
}

func spanUnit(name string) (time.Duration, bool) {
	const day = 24 * time.Hour
	switch name {
	case "usec", "us", "µs", "μs":
		return time.Microsecond, true
	case "msec", "ms":
		return time.Millisecond, true
	case "", "seconds", "second", "sec", "s":
		return time.Second, true
	case "minutes", "minute", "min", "m":
		return time.Minute, true
	case "hours", "hour", "hr", "h":
		return time.Hour, true
	case "days", "day", "d":
		return day, true
	case "weeks", "week", "w":
		return 7 * day, true
	}
	return 0, false
}

// MadeDirs are the settings of directories that a manager makes when it starts a
// service, each with the directory that they are made in.
func MadeDirs() map[string]string {
	return map[string]string{
		"RuntimeDirectory": "/run", "StateDirectory": "/var/lib", "CacheDirectory": "/var/cache",
		"LogsDirectory": "/var/log", "ConfigurationDirectory": "/etc",
	}
}
