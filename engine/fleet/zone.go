package fleet

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// Zone is a time zone by its name: "UTC", "local" (or nothing) for the device's own, or
// one of the IANA's, such as "Europe/Berlin", as the device's zoneinfo has it: this
// program brings none. The device's own is the one that it had when the program started,
// and UTC where it has none. An error is one line that says what to do.
func Zone(name string) (*time.Location, error) {
	return zone(name, time.LoadLocation, zoneinfo)
}

// zoneinfo reports whether there is a time zone database where package time looks for one.
func zoneinfo() bool {
	return slices.ContainsFunc([]string{"/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/locale/TZ", "/etc/zoneinfo"}, func(dir string) bool {
		_, err := os.Stat(dir)
		return err == nil
	})
}

func zone(name string, load func(string) (*time.Location, error), there func() bool) (*time.Location, error) {
	switch name {
	case "", "local":
		return time.Local, nil
	case "UTC":
		return time.UTC, nil
	}
	z, err := load(name)
	switch {
	case err == nil:
		return z, nil
	case !there():
		return nil, fmt.Errorf(`time zone %.40q: this device has no zoneinfo; install tzdata, or write "UTC" or "local"`, name)
	}
	return nil, fmt.Errorf(`time zone %.40q cannot be read from this device's zoneinfo; write "UTC", "local" or a name like "Europe/Berlin"`, name)
}
