import sys

from app.runtime.zoo.__main__ import main

sys.exit(main())
