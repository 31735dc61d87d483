package pack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/tope/updater/steps/bundle/native"
)

// Compressor makes members. With a Program, libzstd compresses: its results are far
// smaller than the Go encoder's, above all for patches.
type Compressor struct {
	// Program is the path of the zstd program; empty for the Go encoder.
	Program string
	// Level is zstd's, 1 to 19; 0 means 19.
	Level int
}

// FindCompressor returns a Compressor that uses the zstd program where there is one.
func FindCompressor() Compressor {
	path, err := exec.LookPath("zstd")
	if err != nil {
		return Compressor{}
	}
	return Compressor{Program: path}
}

// Name names the compressor with its version: only the same compressor reproduces a
// bundle.
func (c Compressor) Name() string {
	if c.Program == "" {
		return "the Go encoder (no zstd program was found: patches will be larger)"
	}
	out, err := exec.Command(c.Program, "--version").Output() //nolint:noctx // prints a line
	if err != nil {
		return c.Program
	}
	return strings.TrimSpace(string(out))
}

func (c Compressor) level() string {
	if c.Level == 0 {
		return "-19"
	}
	return fmt.Sprintf("-%d", c.Level)
}

// stream compresses in to out. size is how many bytes there will be.
func (c Compressor) stream(ctx context.Context, in io.Reader, out io.Writer, size int64) error {
	if c.Program == "" {
		return goEncode(in, out)
	}
	return c.run(ctx, in, out, c.level(), "--single-thread", "--no-check", "-c", fmt.Sprintf("--stream-size=%d", size))
}

// files compresses each file to out/NAME.zst, NAME being its base name.
func (c Compressor) files(ctx context.Context, out string, files []string) error {
	if c.Program != "" {
		const batch = 500 // the length of a command line is limited
		for len(files) > 0 {
			n := min(batch, len(files))
			args := append([]string{c.level(), "--single-thread", "--no-check", "--output-dir-flat", out, "--"}, files[:n]...)
			if err := c.run(ctx, nil, io.Discard, args...); err != nil {
				return err
			}
			files = files[n:]
		}
		return nil
	}
	for _, f := range files {
		if err := compressFile(f, filepath.Join(out, filepath.Base(f)+".zst"), nil); err != nil {
			return err
		}
	}
	return nil
}

// patch compresses file with base's content as dictionary.
func (c Compressor) patch(ctx context.Context, base, file, out string) error {
	if c.Program == "" {
		dict, err := os.ReadFile(base)
		if err != nil {
			return err
		}
		return compressFile(file, out, dict)
	}
	return c.run(ctx, nil, io.Discard, c.level(), "--single-thread", "--no-check", "-f", "--patch-from="+base, file, "-o", out)
}

func (c Compressor) run(ctx context.Context, in io.Reader, out io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, c.Program, append([]string{"-q"}, args...)...)
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, &errs
	// The environment can change zstd's level and threads; the tool's bytes must not depend on it.
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", c.Program, err, strings.TrimSpace(errs.String()))
	}
	return nil
}

func compressFile(from, to string, dict []byte) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
	}()
	if dict == nil {
		return goEncode(in, out)
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	window := 1 << 20
	for window < len(dict)+len(data) && window < zstd.MaxWindowSize {
		window *= 2
	}
	// A single segment: otherwise a frame of less than 256 bytes does not say its
	// size, and a device refuses a patch without a size.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(window), zstd.WithSingleSegment(len(data) <= window),
		zstd.WithEncoderDictRaw(0, dict))
	if err != nil {
		return err
	}
	_, err = out.Write(enc.EncodeAll(data, nil))
	return err
}

func goEncode(in io.Reader, out io.Writer) error {
	enc, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(native.MaxWindow))
	if err != nil {
		return err
	}
	if _, err := io.Copy(enc, in); err != nil {
		_ = enc.Close()
		return err
	}
	return enc.Close()
}
