//go:build !linux

package health

import (
	"context"
	"errors"
)

// links has no news here.
func (w *Watch) links(context.Context, func(id string)) error { return errors.ErrUnsupported }

// processes has none either.
func (w *Watch) processes(context.Context, func(id string)) error { return errors.ErrUnsupported }
