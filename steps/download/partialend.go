package download

import (
	"os"
	"path/filepath"

	"github.com/tope/updater/platform/disk"
	"github.com/tope/updater/steps"
	"github.com/tope/updater/steps/bundle"
)

// publish gives the file its size and its name.
func (p *partial) publish() error {
	// The last piece may end before the bundle does. The file gets the bundle's whole
	// size all the same, because the size tells which bundle it is.
	if err := p.f.Truncate(p.parts.Total); err != nil {
		return steps.FromOS(err, "cannot write the download")
	}
	if err := p.f.Sync(); err != nil {
		return steps.FromOS(err, "cannot sync the download")
	}
	// If the power goes from here on, all pieces are on disk, at worst under the part
	// file's name and with an older note; they are found by their digests.
	if err := os.Rename(filepath.Join(p.task.WorkDir, PartFile), filepath.Join(p.task.WorkDir, bundle.FileName)); err != nil {
		return steps.FromOS(err, "cannot name the download")
	}
	if err := disk.SyncDir(p.task.WorkDir); err != nil {
		return steps.FromOS(err, "cannot sync the download")
	}
	p.task.Meter.Go()
	p.wire = p.parts.Wire
	p.release = p.parts.Release
	p.fetched = steps.Fetched{Size: p.parts.Total, Digest: p.parts.Release.Digest, At: p.cfg.Clock.Now()}
	return nil
}

// reopen gives the bundle of an earlier run the part file's name again, because more of it
// has to be fetched. If the power goes, it has one name or the other, and is found under
// both.
func (p *partial) reopen() error {
	if !p.unname {
		return nil
	}
	p.unname = false
	err := os.Rename(filepath.Join(p.task.WorkDir, bundle.FileName), filepath.Join(p.task.WorkDir, PartFile))
	return steps.FromOS(err, "cannot go on with the bundle")
}
