package steps

import (
	"os"

	"github.com/tope/updater/platform/source"
)

// Name is a step's name, as the journal and the API write it.
type Name string

// The eleven steps.
const (
	Download    Name = "Download"
	Verify      Name = "Verify"
	Extract     Name = "Extract"
	Stage       Name = "Stage"
	Switch      Name = "Switch"
	Restart     Name = "Restart"
	HealthCheck Name = "HealthCheck"
	Commit      Name = "Commit"
	Rollback    Name = "Rollback"
	Factory     Name = "Factory"
	Return      Name = "Return"
)

// Kind is the purpose of an update.
type Kind string

// The kinds of update.
const (
	// Install brings a release from a bundle.
	Install Kind = "install"
	// ByHand goes to an installed version (rollback, rollback --to).
	ByHand Kind = "rollback"
	// Restore goes to the factory version (factory restore).
	Restore Kind = "factory"
	// Probation goes back from a version that was committed and turned out bad afterwards.
	Probation Kind = "probation"
	// Recovered is an update whose journal was lost; only its health gate is left
	// to run.
	Recovered Kind = "recovered"
)

// Source is the bundle as the request describes it.
type Source struct {
	// URL is http, https or file; a bare absolute path is a local file. As JSON it has no
	// secrets.
	URL source.URL `json:"url,omitzero"`
	// Name is the bundle's file name, for people and for the legacy API.
	Name string `json:"name,omitempty"`
	// Size is the declared size in bytes; 0 when it was not declared.
	Size int64 `json:"size,omitempty"`
	// MD5 is the declared digest, 32 lower-case hex digits; empty when it was not declared.
	MD5 string `json:"md5,omitempty"`
	// Version is the declared version; empty to take the bundle's own.
	Version string `json:"version,omitempty"`
	// SHA256 is the declared digest of the file, 64 lower-case hex digits; empty when it was
	// not declared.
	SHA256 string `json:"sha256,omitempty"`
	// Digest is the one that the release must have (Release.Digest); empty for any.
	Digest string `json:"digest,omitempty"`
	// Signed: only a release that a key of this device has signed, whatever else it takes.
	Signed bool `json:"signed,omitempty"`
	// Credential names whose credentials its server asks for; empty for nobody's. The
	// credentials themselves are the device's and in no record.
	Credential string `json:"credential,omitempty"`
	// Sparing: what the device has said of its data budget and of metered networks binds
	// the download (fetch.Transport.SetGate). It waits then, and goes on from there.
	Sparing bool `json:"sparing,omitempty"`
}

// Handed is a local file that somebody has opened with his own rights and handed over,
// because the updater could open more than he can. Nothing else is read in its place.
type Handed struct {
	// File is the open file. It is nil after a restart of the updater: then the file is
	// opened by its path again, if what is there has the same ID.
	File *os.File `json:"-"`
	// ID is the file's source.Identity.
	ID string `json:"id"`
	// Closed is called when the file is closed, which may be never; nil for nobody.
	Closed func() `json:"-"`
}

// Close closes the file, if there is one, and does not wait until it is closed: that of a
// file system that does not answer may never be. A nil Handed has none. Call it once.
func (h *Handed) Close() {
	if h == nil || h.File == nil {
		return
	}
	go func() {
		_ = h.File.Close() // it was only read
		if h.Closed != nil {
			h.Closed()
		}
	}()
}

// Release has a step's findings about the release: Download finds its digest,
// Verify the rest. A field that a step leaves zero keeps the value of an earlier step.
type Release struct {
	// Version is the release's version, without "v".
	Version string `json:"version,omitempty"`
	// Digest names the release in the quarantine and in its version's
	// manifest: "md5:…" for a legacy package.
	Digest string `json:"digest,omitempty"`
	// Services are services the release names beyond the configured ones, in
	// the order in which they have to start.
	Services []string `json:"services,omitempty"`
}
