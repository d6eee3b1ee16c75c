"""The LightningModule, the networks it is told to build, and what it minimises."""
