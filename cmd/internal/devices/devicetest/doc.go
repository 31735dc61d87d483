// Package devicetest gives tests a whole device: a machine with a real systemd,
// the updater set up on it from deploy/systemd, and real device-api and
// web-server units that run as user tope.
//
//	func TestMain(m *testing.M) { os.Exit(devicetest.Main(m)) }
//
//	d := devicetest.New(t, devicetest.Options{})
//	d.Up()
//	d.Begin(d.Offer(fixtures.Release{Version: "1.1.0"}))
//	d.Kill()
//	d.Up()
//	require.Equal(t, engine.Committed, d.Over().State)
//
// It starts with version 1.0.0, which is also its factory version. Kill of
// systemdtest cuts its power. ByHand gives the same device before the updater is
// installed, for tests of the installation.
//
// A device is for one goroutine. Tests with devices of their own are parallel,
// six at a time: a device waits most of its time. Under -short New and ByHand
// skip the test, because machines need root.
package devicetest
