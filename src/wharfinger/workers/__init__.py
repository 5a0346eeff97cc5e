# SPDX-License-Identifier: Apache-2.0
"""Door 4: time. What happens without anybody asking."""
