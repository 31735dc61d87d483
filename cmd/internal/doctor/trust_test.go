package doctor_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/doctor"
)

// What nobody has signed and runs as root is a warning as long as it is let in.
func TestDoctorTellsWhatUnsignedReleasesBring(t *testing.T) {
	found := examined(t, t.TempDir(), quiet+"\n[trust]\nunsigned_brings = [\"units\", \"hooks\"]\n")
	f := requireFinding(t, found, "config", warn, "may bring units, hooks, which run as root")
	require.Contains(t, f.Do, "unsigned_brings")
}

// A device that has committed a signed release and has lost its keys takes nothing.
func TestDoctorMissesTheKeys(t *testing.T) {
	d := device(t, t.TempDir(), quiet)
	d.Trust.Committed = func() string { return "signed release 1.1.0" }
	f := requireFinding(t, doctor.Examine(t.Context(), d), "trust", fail, "has committed the signed release 1.1.0")
	require.Contains(t, f.Do, "tope-updater trust forget")
}
